"""Imports networks together with their weights, and what torch itself can say; the readers that
need no arrays, folding and the proof are in compiler/importing.

imported_weights.py   into its module, into a file; its outputs beside the original's
"""
