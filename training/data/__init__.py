"""What is learned from: files and arrays to batches of uint8 images, and what becomes of pixels.

opening.py      from a plan to data that is ready: what the rest of the program calls
count.py        how many classes there are, before there is a network; needs no torch
given.py        `--data`: words of the language, or simply a place
classes.py      … against what the network ends in
read.py         from the `data` line to what it names: digits, folder, npz, idx, named (.py)
divide.py       training, validation, test; split.py: who is drawn
picture.py      a file to an upright picture, or why it is none; colours.py, decode.py: to bytes
fit.py          resize and crop; preparation.py: and what pixels become, for every use alike
check.py        every file looked at once; verdicts.py: and remembered
store.py        images in memory, or in their files; memory.py: which
measure.py      mean and deviation of pixels
batches.py      batches on the device; order.py: which images come when; stream.py: reading ahead
dataset.py      what is known of a data set; balance.py: weights of its classes
"""
