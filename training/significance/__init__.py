"""Whether a difference between results could be chance: intervals and tests. Needs no torch.

distributions.py  the normal distribution, and those of Student, chi-square and fair coins
intervals.py      confidence intervals of shares and means
tests_of_two.py   McNemar's test, the paired t-test, Welch's test
resampling.py     the paired bootstrap
several_tests.py  Holm's correction for many comparisons
"""
