"""Training data: from files and arrays to batches of uint8 images, and preprocessing.

open.py             opens the data of a plan: the entry point for the rest of the program
opened.py           what is open: batches, images, the task
unfit_data.py       errors for data that the network cannot be trained on
dataset.py          classes and image counts of a data set; describe_data.py counts them
check_classes.py    does the network fit the classes
diagnostic.py       errors, shown at the line of the spec that causes them
sources/            where images and labels come from
  read.py             the `data` line: digits, folder, npz, idx, named data sets
  given.py            `--data`: the words of a `data` line, or a path
  divide.py           training, validation and test set; split.py: the random split
  several_inputs.py   networks with several inputs: one sample has the channels of all
  count_classes.py    counts classes without torch; count_images.py: counts images
images/             from image files to pixels
  image_file.py       reads an image file, upright, or says why it cannot be used
  decode.py           pixels with the channels that the network takes; color_modes.py
  bands.py            several bands, more than 8 bits; tiff_file.py: TIFF; bit_depth.py: which files
  visible.py          what people see of them
  image_store.py      decodes all images, or checks their files
  array_file.py       images in .npy and .npz; in_memory.py, arrays.py: arrays of any layout
  resize.py           resize and crop; preprocessing.py: from a file to the input of the network
  check_files.py      checks every file once; checked_files.py: a cache of the results
  pixel_statistics.py mean and standard deviation of pixels
loader/             from images to batches
  store.py            images in memory or in their files; memory_budget.py decides which
  shared_memory.py    one copy of the images for all processes of a machine
  batches.py          batches on the device; order.py: the shuffled order of images
  worker_processes.py reads images ahead; class_weights.py: `weights balanced`
"""
