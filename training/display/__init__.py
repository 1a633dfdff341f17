"""Displays of a training: live on a terminal, plain lines, log files.

choose.py          which of them; called by the rest of the program
live.py            the live display, with rich; terminal_resize.py: when the window gets narrower
plain.py           plain lines
messages.py        the lines at the start, after each epoch and at the end
progress.py        progress and remaining time
number_format.py   numbers as text; sparkline.py: a curve in one line
csv_file.py        `log csv`; tensorboard.py: `log tensorboard`
combined.py        several of them at once
outcome_text.py    what `cnn evaluate` prints; prediction_text.py: `cnn predict`
"""
