"""Imports torchvision, even if its compiled extension does not fit the installed torch.

With a torchvision built for CUDA and a torch built for the CPU, `import torchvision` fails with
"operator torchvision::nms does not exist": its compiled extension does not load, and then it
registers implementations for operators that are not defined. Everything in it that is plain Python
(data sets, transforms, weights, models) works as soon as these two operators are defined.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_OPERATORS = ("nms", "qnms")
_KEPT: list[Any] = []
"""Keeps the libraries alive: an operator exists only as long as the library that defines it."""


def torchvision(part: str = "") -> ModuleType:
    """torchvision, or a part of it such as `datasets`; raises ImportError if it is not
    installed."""
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

    library_class: Any = torch.library.Library  # it has no type annotations
    library = library_class("torchvision", "FRAGMENT")
    for operator in _OPERATORS:
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
