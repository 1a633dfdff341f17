"""Reports the progress of training: live on a terminal, or as plain lines.

choose.py          chooses among them; called by the rest of the program
live.py            the live display, with rich; terminal_resize.py: redraws it in a narrower window
plain.py           plain lines
messages.py        the lines at the start, after each epoch, and at the end
progress.py        progress and remaining time
number_format.py   numbers as text; sparkline.py: a curve in one line
outcome_text.py    what `cnn evaluate` prints; prediction_text.py: `cnn predict`
"""
