"""How training is watched: a live display, plain lines, files of figures.

choose.py        which of them: what the rest of the program calls
live.py          the display of a terminal; the only file that knows rich
resize.py        … whose window is made narrower
plain.py         lines, where nobody looks on
said.py          the lines that both say: at the beginning, for each epoch, at the end
progress.py      how far it is, and how long it will take
figures.py       numbers as people read them; sparkline.py: a curve in one line
csv_file.py      `log csv`; tensorboard.py: `log tensorboard`, events.py: its format
several.py       more than one at once
"""
