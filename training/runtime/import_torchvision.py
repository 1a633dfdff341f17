"""Imports torchvision where it is needed, also where its compiled part does not load.

With a wheel made for graphics cards beside a torch made for the CPU, `import torchvision` stops at
"operator torchvision::nms does not exist": its compiled part does not load, and it then describes
operators that nobody has defined. All that is plain Python in it (data sets, transforms, weights,
models) works once these two exist.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_OPERATORS = ("nms", "qnms")
_KEPT: list[Any] = []
"""What defines an operator has to live as long as it."""


def torchvision(part: str = "") -> ModuleType:
    """torchvision, or a part of it such as `datasets`; ImportError where it is not installed."""
    name = f"torchvision.{part}" if part else "torchvision"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if not any(f"torchvision::{operator}" in str(error) for operator in _OPERATORS):
            raise
    for half_loaded in [key for key in sys.modules if key.split(".")[0] == "torchvision"]:
        del sys.modules[half_loaded]
    _define()
    return importlib.import_module(name)


def _define() -> None:
    import torch

    made: Any = torch.library.Library  # it comes without types
    library = made("torchvision", "FRAGMENT")
    for operator in _OPERATORS:
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
