"""Elaboration: syntax tree to network. Calls blocks, unrolls loops, infers every shape.

elaborate.py  from a program to a network; walk.py: executes its statements in order
forms/        residual, dense, gate, paths side by side; calls.py: blocks; layers.py: layers
labels.py  scoping.py  naming.py: names; initial.py: `init`; graph_builder.py: adds nodes
settle.py     operations that depend on later ones; skipped.py: branches that were not taken
defaults.py   `default bn eps=1e-3`: arguments for the layers of one file

Maps by name: a label passed to a block, `cell first 64`, becomes `Scope.maps` of its call; the last
line of a loop, `carry first=second`, becomes `Scope.carried` of its round and `Scope.maps` of the
next one, and what the label refers to after the loop. `input` is what arrives in the block, the
round or the network around (`labels`). A loop or an `if` whose body begins with `|` makes paths of
the form around it, which collects them (`GraphBuilder.collector`).
"""
