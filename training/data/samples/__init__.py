"""Series and scans: samples of one or three axes, of numbers in the units of the data.

sample_layout.py    arrays of any layout: channels before the axes; numbers that are not finite
sample_fit.py       crop and pad to the size that the network takes; random crops of training
sample_endings.py   which files may hold them
sample_file.py      one sample from a .npy, .npz, .csv or .wav file, or from an array
sound.py            WAV files; resample.py: another sample rate
sample_source.py    samples that are read one by one: files, memory maps, series of many lengths
mapped_masks.py     samples with their masks, from memory maps
sample_store.py     keeps them in memory, or reads them in each epoch
sample_statistics.py  mean and standard deviation of each channel
"""
