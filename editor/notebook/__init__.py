"""Notebooks: `%load_ext dotcnn`, and then `%%cnn net` before a spec.

cell.py       the cell: its text checked, its network named and shown
as_html.py    mistakes, networks and results as HTML

The progress of a training is in training/display/notebook.py.
"""
