"""Data that the trials of a process share: opened and decoded once, as long as no trial changes
what is read or how."""

from __future__ import annotations

import json
from dataclasses import replace

import torch

from ...compiler.plan.plan import TrainPlan
from ..data.opened import Opened
from ..request import Request
from ..runtime.process_group import Processes
from ..trainer.callbacks import Callback
from ..trainer.train import open_for

_UNREAD = frozenset(
    "epochs batch accumulate optimizer schedule precision channels_last compile recompute clip ema"
    " lookahead freeze_after early_stop deterministic sync_bn workers ensemble validate metrics"
    " checkpoint log".split()
)
"""Directives of `train` that opening data does not look at."""


class SharedData:
    """Opens the data of trials, and keeps that of the last one."""

    def __init__(self) -> None:
        self._key = ""
        self._opened: Opened | None = None

    def __call__(
        self, request: Request, device: torch.device, callback: Callback, processes: Processes
    ) -> Opened:
        key = _key(request.plan, device)
        if self._opened is None or key != self._key or request.plan.learns_images:
            self._opened = None  # its memory is free for the next
            self._opened = open_for(request, device, callback, processes)
            self._key = key
        return (
            replace(self._opened, plan=request.plan) if self._can_share(request) else self._opened
        )

    @staticmethod
    def _can_share(request: Request) -> bool:
        """The plan of images that are answered with images is completed by their sizes."""
        return not request.plan.learns_images


def _key(plan: TrainPlan, device: torch.device) -> str:
    """What the opened data depends on: all that a plan says but what is known not to matter."""
    data = json.loads(plan.to_json())
    data["train"] = {word: value for word, value in data["train"].items() if word not in _UNREAD}
    # What crops and resizes decides how images are read, and where pixels change before it.
    data["augment"] = [each["is"] if each["is"] in _PIXELS else each for each in data["augment"]]
    if not any(isinstance(each, dict) for each in data["augment"]):
        data["augment"] = []
    return json.dumps([str(device), data], sort_keys=True)


_PIXELS = frozenset({"rotate", "color", "noise", "blur", "mixup", "cutmix", "erase"})
"""Augmentations that change images after they are read."""
