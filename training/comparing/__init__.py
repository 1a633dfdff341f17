"""Runs compared with one another: `cnn compare`. Needs no torch, unless a run that keeps no answers
is evaluated.

contender.py    a run, or several that differ only in their seed, with its answers
measures.py     the metrics that can be compared image by image
pairing.py      whether two runs were measured on the same images
comparison.py   see `compared`: all of it together, as data
"""
