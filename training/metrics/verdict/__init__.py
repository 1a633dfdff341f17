"""The verdict on a run: what its metrics show where they leave no doubt.

verdict.py           the rules in their order, and which of their findings are said
facts.py  limits.py  the metrics of a run; the thresholds of all rules
learning.py          it does not learn: it guesses, gets worse, or learns too slowly
against_guessing.py  what to try then
fitting.py           it overfits, underfits, still improves, or is well
certainty.py         whether there are enough validation images to tell
mask_rules.py  number_rules.py  image_rules.py   the rules for other answers than classes
"""
