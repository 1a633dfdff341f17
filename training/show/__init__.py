"""What a network does with images: its numbers, feature maps, filters, gradients and fields.

subject.py        the network that is looked at: a spec, a gallery name or a run, with its weights
choose_layer.py   which layer, channels and classes of it, as the command line names them
input_images.py   what it is given: files, matrices, images of the spec's data, noise
input_arrays.py   series, volumes and vectors: arrays, sound, clips, folders of frames
data_images.py    all images of a folder or of a data set, in bounded memory
run.py            runs the network on images, and works out single outputs
layer_figures.py  for each layer: range, mean, zeros, dead channels; which channels are strongest
text.py           what `cnn show` prints: a table of layers, maps as numbers, an output worked out
why/              evidence for and against a class: Grad-CAM, occlusion, integrated gradients
learned/          filters, dreams and patches of the channels of a layer
measure/          receptive fields, gradients, accuracy of disturbed images, tables of features
pictures/         what `-o` writes as pictures: contact sheets, sheets of pictures with captions
page/             what `-o page.html` writes: a page to explore, in which numbers are followed back

Everything is computed from `inference.layer_outputs`, which evaluates a network layer by layer.
"""
