"""Finds what makes a program wait for its GPU: on one, and without one.

`Waits` counts between `begin` and `end`: on a GPU, torch itself notices (`set_sync_debug_mode`); on
a CPU, reads are counted. `Reads` notes every operation that reads values of tensors: `.item()`,
`.tolist()`, `bool(tensor)`, `.cpu()`, `nonzero`, an index of booleans, `bincount`. On `meta`, whose
tensors have no values, a read is an error, and the code that runs on a GPU runs there: `Transfers`
notes copies to another device that do not go through `to_device`, and `LaunchesOnMeta` counts what
a GPU would be given to do.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

import dotcnn
from dotcnn.training.runtime.to_device import to_device

_METHODS = frozenset(
    "item tolist cpu numpy nonzero __bool__ __float__ __int__ __index__ is_nonzero equal allclose"
    " bincount masked_select unique argwhere".split()
)
_OPERATIONS = frozenset(
    f"aten.{name}" for name in (
        "_local_scalar_dense.default", "nonzero.default", "masked_select.default",
        "bincount.default", "repeat_interleave.Tensor", "equal.default", "_unique2.default",
    )
)  # fmt: skip
_INDEXED = ("aten.index.Tensor", "aten.index_put.default", "aten.index_put_.default")

_TRAINING = str(Path(dotcnn.__file__).parent / "training") + os.sep


def _place() -> str:
    """Where in `training` the program is: `trainer/loop.py:101`."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        path = frame.f_code.co_filename
        if path.startswith(_TRAINING):
            return f"{path.removeprefix(_TRAINING).replace(os.sep, '/')}:{frame.f_lineno}"
    return "?"


class Reads:
    """A context that notes where values of tensors are read, by operation and place."""

    def __init__(self, *, apart_from: str = "\0") -> None:
        self.seen: list[str] = []
        """As `item at trainer/loop.py:101`."""
        self._apart_from = apart_from

    def note(self, what: str) -> None:
        place = _place()
        if self._apart_from not in place:
            self.seen.append(f"{what} at {place}")

    def __enter__(self) -> Reads:
        self._modes = (_Functions(self), _Operations(self))
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class Waits:
    """Counts, between `begin` and `end`, how often the program waits for the device, by place. On a
    GPU, waiting for an event is not counted, as it does not keep the GPU from working."""

    def __init__(self, device: str) -> None:
        self._gpu = device.startswith("cuda")
        self._reads = Reads()
        self._caught: Any = None
        self._open = False
        self.places: Counter[str] = Counter()

    def begin(self) -> None:
        self._open = True
        if self._gpu:
            self._caught = warnings.catch_warnings(record=True)
            self._list = self._caught.__enter__()
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
        else:
            self._reads.__enter__()

    def end(self) -> None:
        """Also after an error; the second time it does nothing."""
        if not self._open:
            return
        self._open = False
        if not self._gpu:
            self._reads.__exit__(None, None, None)
            self.places = Counter(self._reads.seen)
            return
        torch.cuda.set_sync_debug_mode("default")
        self._caught.__exit__(None, None, None)
        for warning in self._list:
            if "called a synchronizing" in str(warning.message):
                self.places[f"{Path(warning.filename).name}:{warning.lineno}"] += 1


class _Functions(TorchFunctionMode):
    """Calls of methods, of which some never come to the dispatcher, like `tolist` on a CPU."""

    def __init__(self, reads: Reads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, given: Any = (), named: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name in _METHODS:
            self._reads.note(name.strip("_"))
            with (
                torch._C.DisableTorchFunction(),
                _disable_current_modes(),
            ):
                return function(*given, **(named or {}))
        return function(*given, **(named or {}))


class _Operations(TorchDispatchMode):
    """Operations within others, like the `item` in torch's own functions."""

    def __init__(self, reads: Reads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        name = str(function)
        masks = name in _INDEXED and any(
            isinstance(one, Tensor) and one.dtype == torch.bool for one in given[1]
        )
        if name in _OPERATIONS or masks:
            self._reads.note(name)
        return function(*given, **(named or {}))


class Transfers(TorchDispatchMode):
    """Notes copies from the CPU to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        result = function(*given, **(named or {}))
        if str(function) in ("aten._to_copy.default", "aten.copy_.default", "aten._copy_from"):
            devices = {each.device.type for each in tree_leaves((given, result))
                       if isinstance(each, Tensor)}  # fmt: skip
            if len(devices) > 1:
                self.seen.append(_place())
        return result


class LaunchesOnMeta(TorchDispatchMode):
    """Counts operations on `meta` that would start something on a GPU: all but views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        result = function(*given, **(named or {}))
        there = any(
            isinstance(each, Tensor) and each.device.type == "meta"
            for each in tree_leaves((given, result))
        )
        nothing = function.is_view or str(function).startswith(("aten.empty", "aten.detach"))
        self.count += there and not nothing
        return result


@contextmanager
def to_device_unseen() -> Iterator[list[str]]:
    """A context in which copies by `to_device`, which do not wait, are listed apart."""
    calls: list[str] = []

    def unseen(tensor: Tensor, device: torch.device) -> Tensor:
        if tensor.device != device:
            calls.append(_place())
        with _disable_current_modes():
            return to_device(tensor, device)

    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("dotcnn.training") and getattr(module, "to_device", None) is to_device
    ]
    for module in users:
        module.to_device = unseen  # type: ignore[attr-defined]
    try:
        yield calls
    finally:
        for module in users:
            module.to_device = to_device  # type: ignore[attr-defined]
