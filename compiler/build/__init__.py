"""Elaboration: syntax tree to network. Calls blocks, unrolls loops, infers every shape.

elaborate.py  from a program to a network; walk.py: executes its statements in order
forms.py      residual, dense, gate, paths side by side; calls.py: blocks; layers.py: layers
labels.py  scoping.py  naming.py: names; initial.py: `init`; graph_builder.py: adds nodes
settle.py     operations that depend on later ones; skipped.py: branches that were not taken
"""
