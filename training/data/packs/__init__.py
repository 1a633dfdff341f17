"""Packs: folders of tar files with an index, as `cnn pack` writes them.

pack_index.py     index.json and the JSON beside each tar: what they hold, reading and writing them
columns.py        the same as arrays, mapped into memory: derived from the JSON, made again at need
kept_results.py   what was computed of the images of a pack: computed once
"""
