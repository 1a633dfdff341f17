"""Imports networks together with their weights, and what torch itself can say; the readers that
need no arrays, folding and the proof are in compiler/importing.

from_module.py        `dotcnn.from_module`
by_name.py            networks of torchvision and timm, made anew or with the weights of a file
torch_module.py       a module as a network that can be run
  exported_module.py   by torch.export, as a graph (aten_graph.py) of ATen's functions
  dropping.py          what drops in training, which a graph of the evaluation mode does not show
  training_mode.py     what else there is in training only: auxiliary heads
pt2.py                a .pt2 file as such a graph; nothing in it is unpickled
lowering.py           that graph -> a program: calls of compiler/importing/tensors
  aten.py              what each function becomes; einsum.py
from_onnx/            files of ONNX
imported_weights.py   into its module, into a file; its outputs beside the original's
stored_weights.py     weights from files of their own, brought into the layout of the layers
  keras_weights.py      Keras, .h5 and .keras
  darknet_weights.py    Darknet, .weights
  caffe_weights.py      Caffe, .caffemodel
keras_file.py         files of Keras that have the structure in them
"""
