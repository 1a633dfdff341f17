"""Networks as pictures: SVG, PNG, HTML, Graphviz and Mermaid.

paint.py    network to picture (picture.py), which place.py lays out; formats.py: `cnn draw`
svg.py  png.py  page.py  dot.py  mermaid.py: the formats
"""
