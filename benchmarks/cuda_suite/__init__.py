"""The suite for a machine with a CUDA GPU; `benchmarks/cuda.py` starts it.

main.py         the command line
run.py          runs the checks of a command in child processes, within a time limit
check.py        what a check is, and what checks share
cases.py        operations and directives with arguments, from the registries
training.py     small runs: data, specs, callbacks
measure.py      memory, kernels and time, on the CPU and on the GPU
waits.py        what makes a program wait for its GPU, also without one
table.py        results as Markdown
wheels.py       packages for a machine without internet
the others      one file for each command: its `checks(setting)` are run in order
"""
