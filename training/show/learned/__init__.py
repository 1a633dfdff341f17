"""What the channels of a layer have learned: `--filters`, `--dream` and `--patches`.

layer_filters.py  the weights of a layer as pictures
dream.py          images that excite a channel most, drawn from noise
patches.py        the parts of given images that excite a channel most
"""
