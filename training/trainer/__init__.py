"""Training a network: setup, the loop over epochs and batches, and finish.

train.py        the entry point: from a request to a finished run folder
job.py          what setup, loop and finish need: request, data, device, callback
setup.py        builds module, optimizer, batches and checkpoint writer; or resumes
state.py        the training state: module, optimizer, learning rates, EMA
loop.py         the loop over epochs and batches
finish.py       evaluates the best weights, writes record.json and report.html
one_network.py  setup, loop and finish of one network; ensemble.py: of several
callbacks.py    the events of a run, for displays, log files and your own code
result.py       what `train` returns
"""
