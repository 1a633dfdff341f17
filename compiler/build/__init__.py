"""Syntax to network: blocks called, loops unrolled, every shape worked out.

elaborate.py  a program to a network; walk.py: its statements, one after the other
forms.py      residual, dense, gate, paths side by side; calls.py: blocks; layers.py: layers
labels.py  scoping.py  naming.py: names; initial.py: `init`; budget.py: limits
settle.py  skipped.py: what is known only afterwards
"""
