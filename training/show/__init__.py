"""What a network does with images: its numbers, feature maps, filters, gradients and fields.

subject.py      the network that is looked at: a spec, a gallery name or a run, with its weights
input_images.py     what it is given: files, matrices, images of the spec's data
layer_figures.py    for each layer: range, mean, zeros, dead channels; which channels are strongest
text.py         what `cnn show` prints: the table of layers, maps as numbers, one output worked out

Everything is computed from `inference.layer_outputs`, which evaluates a network layer by layer.
"""
