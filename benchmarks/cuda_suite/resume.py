"""`resume`: a run that is stopped in the middle of an epoch and resumed is equal to the bit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .cases import directives
from .check import Check, Facts, Setting, require
from .checkpoints import resume_checks
from .training import NETWORK, checkpoint, interrupt_after, resumed, trained

_CONFIGURATIONS = {
    "bf16": "train { precision bf16 }",
    "fp16 with its scaler": "train { precision fp16\n clip 1 }",
    "EMA": "train { ema 0.9 }",
    "accumulated batches": "train { accumulate 3 }",
    "early stopping, plateau": "train { early_stop 9 metric=top1\n schedule plateau 1 }",
    "augmentation": "augment { crop pad=2, flip horizontal, rotate 10, noise 0.05, randaugment,"
    " erase, mixup 0.4, cutmix 1 p=50% }",
    "all": "train { precision fp16\n ema 0.9\n accumulate 2\n clip 1\n optimizer adamw }\n"
    "augment { flip horizontal, color brightness=0.2, mixup 0.4 }",
}

_PARTS = "model optimizer scaler average lookahead plateau patience random micro_batches".split()
"""What must be the same in a checkpoint: everything but the time that was taken."""


def checks(setting: Setting) -> Iterator[Check]:
    for kind in directives("train"):
        if kind.head() == "optimizer":
            sections = f"train {{ {kind.shown()} }}"
            yield Check("resumed", kind.word, partial(same_after_resuming, setting, sections))
    for name, sections in _CONFIGURATIONS.items():
        yield Check("resumed", name, partial(same_after_resuming, setting, sections))
    yield from resume_checks(setting)


def same_after_resuming(setting: Setting, sections: str) -> Facts:
    """`deterministic on`: everything in the last checkpoint is the same, except the time taken."""
    spec = NETWORK.replace("flatten", "flatten, dropout 0.2") + sections
    options: dict[str, Any] = {"train__deterministic": True}
    whole = trained(setting, spec, **options)
    stopped = trained(setting, spec, callback=interrupt_after(2), **options)
    require(stopped.interrupted, "the run was not stopped")
    resumed(setting, stopped.folder)
    expected, found = checkpoint(whole.folder), checkpoint(stopped.folder)
    tensors = 0
    for part in _PARTS:
        for place, one, other in _leaves(expected[part], found[part], part):
            tensors += isinstance(one, Tensor)
            same = torch.equal(one, other) if isinstance(one, Tensor) else one == other
            require(same, f"{place} differs")
    require(_metrics(whole.folder) == _metrics(stopped.folder), "metrics differ")
    return {"tensors": tensors}


def _metrics(folder: Any) -> list[str]:
    """The lines of metrics, without what depends on time."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    kept = ("epoch", "steps", "lr", "train", "val", "best")
    return [json.dumps([json.loads(line).get(name) for name in kept]) for line in lines]


def _leaves(one: Any, other: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """The tensors and numbers of a state and of another, with their places."""
    if isinstance(one, Mapping):
        require(isinstance(other, Mapping) and one.keys() == other.keys(), f"{place} differs")
        for key, value in one.items():
            yield from _leaves(value, other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        require(len(one) == len(other), f"{place} differs")
        for number, value in enumerate(one):
            yield from _leaves(value, other[number], f"{place}.{number}")
    else:
        yield place, one, other
