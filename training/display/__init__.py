"""Reports the progress of training: live on a terminal, as plain lines, in log files.

choose.py          chooses among them; called by the rest of the program
live.py            the live display, with rich; terminal_resize.py: redraws it in a narrower window
plain.py           plain lines
messages.py        the lines at the start, after each epoch, and at the end
progress.py        progress and remaining time
number_format.py   numbers as text; sparkline.py: a curve in one line
csv_file.py        `log csv`; tensorboard.py: `log tensorboard`
combined.py        sends progress to several of them
outcome_text.py    what `cnn evaluate` prints; prediction_text.py: `cnn predict`
"""
