"""Training and everything else that needs torch: weights, inference, evaluation, export.

request.py      what to train: a spec and options; saved_request.py: read from a run folder
trainer/        training: setup, the loop over epochs and batches, finish; ensembles; callbacks
optim/          losses, optimizers, learning rates, averaged weights, numeric precision
metrics/        accuracy, confusion matrices, evaluation on a part of the data
checkpoint/     run folders: which files are written when, and how a run is resumed
runtime/        devices, processes, seeds, memory, interrupts, NaN checks, errors of torch
inference/      trained networks: load, evaluate, predict, test-time augmentation, Grad-CAM
data/           data sets (sources/), pixels (images/), batches (loader/)
answers/        what a run answers to each image, kept in its folder
comparing/      runs beside one another: `cnn compare`
significance/   whether a difference could be chance: intervals and tests
weights/        weights of other models: reading their files, matching them to layers (match/)
untrusted/      reads files from other people: bounded, checked, without executing code
augment/        augmentation of whole batches
transfer/       fine-tuning: pretrained weights, frozen layers, cached features
export/         ONNX, torch.export, safetensors
importing/      networks of other tools with their weights
display/        progress on the terminal and log files; page/: report.html
show/           what a network does with images: numbers, maps, filters, evidence, fields
commands/       the commands that need torch: train, evaluate, predict, show, probe, export, …

The stages of a run, and the verbs for them in code:

request         what to train: spec, options, plan          `request`
resolve         which weights and preprocessing to use      `resolve_transfer`
open            the data; a run folder; weights             `open_data`, `open_run`, `open_weights`
set up          module, optimizer, batches, checkpoint      `set_up`, `set_up_transfer`
start / resume  a new run, or one from its checkpoint       `start_record`, `restore`
train           the loop: `train_epoch`, `end_epoch`        `Loop.run`
finish          evaluate, write the record and the report   `finish`, `end_record`

Importing this package sets OMP_WAIT_POLICY, unless it is set or torch is imported already. By
default, OpenMP threads that wait for one another spin, and so take CPU time from the threads that
they wait for: if anything else runs on the machine, steps of small networks then take ten times as
long. With this setting they sleep.
"""

import os
import sys

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
