"""Networks as pictures: SVG, PNG, HTML, TikZ, Graphviz and Mermaid.

formats.py: `cnn draw`, and the SVG for pages that hold a drawing
paint.py    network to picture (picture.py): what is folded, which layers share a box
place.py    picture to positions: regions.py lays out frames from the inside out, compose.py the
            contents of one (blocks.py, sizes.py), ushape.py a U-Net
diagram.py  volumes.py: boxes with arrows, and maps to scale, both as shapes and texts (scene.py)
svg.py  tikz.py  png.py  page.py  dot.py  mermaid.py: the formats; views.py: a page's drawings
"""
