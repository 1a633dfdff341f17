"""Training data: from files and arrays to batches of uint8 images, and preprocessing.

open.py             from a plan to data that is ready: what the rest of the program calls
dataset.py          what is known of a data set; check_classes.py: against what the network ends in
diagnostic.py       errors, at the line of the spec that they come from
sources/            where images and labels come from
  read.py             from the `data` line to digits, folder, npz, idx, named data sets
  given.py            `--data`: words of the language, or a place
  divide.py           training, validation, test; split.py: which images are drawn
  count_classes.py    before there is a network, without torch; count_images.py likewise
images/             from image files to pixels
  image_file.py       a file to an upright picture, or why it cannot be used
  decode.py           to bytes, in as many channels as the network takes; color_modes.py
  array_file.py       images in .npy and .npz; in_memory.py, arrays.py: arrays of any layout
  resize.py           resize and crop; preprocessing.py: all of it, for every use alike
  check_files.py      every file is checked once; verdicts.py: and remembered
  pixel_statistics.py mean and standard deviation of pixels
loader/             from images to batches
  store.py            images in memory, or in their files; memory_budget.py: which
  batches.py          batches on the device; order.py: which images come when
  worker_processes.py images read ahead; class_weights.py: weights of rare classes
"""
