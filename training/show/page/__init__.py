"""`cnn show ... -o page.html`: one self-contained page in which every number can be followed back.

page_html.py      the page: the network's drawings, the data, styles and scripts; what it may load
layer_data.py     what the page knows of each layer: its texts, its values, its window, its weights
channels.py       which channels are in the page, within its size
arithmetic.py     how an output of a layer is computed: the operations' own code, and its weights
to_javascript.py  that code, translated from Python; python.js is what it needs of Python
derived.py        values that follow from the layer before
encode.py         arrays as compressed text
page.css  python.js  data.js  arithmetic.js  paint.js  page.js

The script gets numbers and names as compressed JSON and writes them as text only: nothing of a spec
or of a file name becomes HTML. Drawings in which parts are unfolded become elements from SVG text,
which the drawing room escapes; the page's policy lets no script of theirs run.
"""
