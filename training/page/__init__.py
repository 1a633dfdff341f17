"""report.html: a page that shows what came out of a training. It asks for nothing from anywhere.

write.py        all of it, from a run's folder: what the rest of the program calls
contents.py     what the page is about; history.py: reads what the run wrote of itself
document.py     the page around the sections; style.py: how it looks by day and by night
markup.py       tags and tables, with everything in them escaped
summary.py      what was trained, and what came of it
curves.py       loss, metrics and learning rate; chart.py: lines in a frame, as SVG
confusion.py    what was taken for what
classes.py      precision and recall of each class
mistakes.py     where the network was sure, and wrong
filters.py      what the first layer looks for
looks.py        where the network looks (Grad-CAM)
network.py      the drawing, the layers, the spec
picture.py      tensors as images inside the page
"""
