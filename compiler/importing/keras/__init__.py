"""Reads networks of Keras 1, 2 and 3 from their configuration, a JSON.

model.py        models, their layers and nodes; models within models
settings.py     what a layer is configured with, in the words of all versions
tracer.py       the values between layers: channels first, whatever Keras has
call.py         one use of a layer, and the table of layers
conv_layers.py, dense.py, pooling.py, norms.py, activations.py, shapes.py, merging.py,
preprocessing.py    the layers
functions.py    operations that are not layers: `x * 2`

Weights are read by training/importing/keras_weights.py.
"""
