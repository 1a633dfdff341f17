"""`cnn show ... -o page.html`: one self-contained page in which every number can be followed back.

page_html.py    the page: the network's drawing, the data, styles and scripts; what it may load
layer_data.py   what the page knows of each layer: its texts, its values, how they are computed
channels.py     which channels are in the page, within its size
arithmetic.py   how an output element of a layer is computed, for the page's script
encode.py       arrays as compressed text
page.css  data.js  arithmetic.js  paint.js  page.js

The script gets numbers and names as compressed JSON and writes them as text only: nothing of a spec
or of a file name becomes HTML.
"""
