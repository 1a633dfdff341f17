"""Everything that needs torch: live modules, weights, export, and training.

request.py      what is to be trained; saved_request.py: read back from a run's folder
trainer/        training: setup, the loop over epochs and batches, the end; ensembles; callbacks
optim/          losses, optimizers, learning rates, averaged weights, numeric precision
metrics/        accuracy, confusion matrices, evaluation on a part of the data
checkpoint/     a run's folder: what is written when, and how a run is resumed
runtime/        devices, processes, seeds, memory, interrupts, NaN checks, errors of torch
inference/      trained networks in use: load, evaluate, predict, test-time augmentation, Grad-CAM
data/           data sets (sources/), pixels (images/), batches (loader/)
weights/        others' weights: their files, and which of them belongs where (match/)
untrusted/      reading files that somebody else wrote: bounded, checked, nothing in them run
augment/        augmentation of whole batches
transfer/       fine-tuning: frozen layers, cached features, whose weights
export/         ONNX, torch.export, safetensors
display/        how training is watched; page/: report.html

Threads of torch that wait for one another do so by asking again and again, and take the time from
the ones that they wait for: with anything else running on the machine, steps of small networks
then take ten times as long. They are told to sleep, unless somebody has said otherwise, or torch is
there already and has made up its mind.
"""

import os
import sys

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
