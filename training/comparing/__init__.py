"""Runs compared with one another: `cnn compare`. Needs no torch, unless a run that keeps no answers
is evaluated, or images are shown.

contender.py          a run, or several that differ only in their seed, with its answers
measures.py           the metrics that can be compared image by image
same_images.py        whether two runs were measured on the same images
run_comparison.py     `compared`: results with intervals, and the tests against the first run
confusion_changes.py, telling_images.py, differences.py   what else differs
sentences.py          the result in plain sentences
comparison_text.py, comparison_json.py, comparison_csv.py, comparison_page.py
evaluate_missing.py   evaluates a run that keeps no answers
"""
