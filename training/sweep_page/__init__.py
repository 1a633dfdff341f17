"""report.html of a sweep, as one self-contained web page.

write_sweep_page.py  the whole page; called after each trial
sweep_contents.py    what the page shows, and curves of trials that have ended, read once
plot_axis.py         axes: linear, logarithmic, of choices; plot_frame.py: a small plot with two
sweep_summary.py     the best trial, its values, how certain it is
progress_section.py  the best so far by trial; the front of two objectives
importance.py        how much of the results each parameter explains; importance_section.py
parallel_section.py  parallel coordinates, with parallel.js
slices_section.py    results by the values of each parameter
trial_curves.py      the metric by epoch of all trials
trials_section.py    tables of trials, and of what was not trained
"""
