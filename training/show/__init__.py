"""What a network does with images: its numbers, feature maps, filters, gradients and fields.

subject.py      the network that is looked at: a spec, a gallery name or a run, with its weights
input_images.py     what it is given: files, matrices, images of the spec's data
layer_figures.py    for each layer: range, mean, zeros, dead channels; which channels are strongest
contact_sheet.py, page/  what `-o` writes: a contact sheet (.png); a page to explore (.html)
text.py         what `cnn show` prints: the table of layers, maps as numbers, one output worked out
why.py          evidence for and against a class, by Grad-CAM, occlusion.py, integrated_gradients.py
layer_filters.py  the filters of any layer; dream.py: images that excite a channel most
patches.py      the parts of the data that excite a channel most; data_images.py goes through it
picture_sheet.py, colors.py  pictures with captions as .png and .html; colors of signed numbers

Everything is computed from `inference.layer_outputs`, which evaluates a network layer by layer.
"""
