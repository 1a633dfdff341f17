"""Finds what makes a program wait for its GPU, without a GPU.

`Waits` notes every operation that reads values of tensors: `.item()`, `.tolist()`, `bool(tensor)`,
`.cpu()`, `nonzero`, an index of booleans, `bincount`. `Transfers` notes copies to another device
that do not go through `to_device`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from dotcnn.training.runtime.to_device import to_device

_METHODS = frozenset(
    "item tolist cpu numpy nonzero __bool__ __float__ __int__ __index__ equal allclose"
    " bincount masked_select unique argwhere".split()
)
_OPERATIONS = frozenset(
    f"aten.{name}" for name in (
        "_local_scalar_dense.default", "nonzero.default", "masked_select.default",
        "bincount.default", "repeat_interleave.Tensor", "equal.default", "_unique2.default",
    )
)  # fmt: skip
_INDEXED = ("aten.index.Tensor", "aten.index_put.default", "aten.index_put_.default")


def _place() -> str:
    """Where in the package the program is: `trainer/loop.py:101`."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        path = frame.f_code.co_filename.replace("\\", "/")
        _, found, inside = path.rpartition("/training/")
        if found and "/tests/" not in path:
            return f"{inside}:{frame.f_lineno}"
    return "?"


class Waits:
    """A context that notes where values of tensors are read, by operation and place."""

    def __init__(self, *, apart_from: str = "\0") -> None:
        self.seen: list[str] = []
        """As `item at trainer/loop.py:101`."""
        self._apart_from = apart_from

    def note(self, what: str) -> None:
        place = _place()
        if self._apart_from not in place:
            self.seen.append(f"{what} at {place}")

    def __enter__(self) -> Waits:
        self._modes = (_Functions(self), _Operations(self))
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Functions(TorchFunctionMode):
    """Calls of methods, of which some never come to the dispatcher, like `tolist` on a CPU."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, given: Any = (), named: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name in _METHODS:
            self._waits.note(name.strip("_"))
            with (
                torch._C.DisableTorchFunction(),
                torch.utils._python_dispatch._disable_current_modes(),
            ):
                return function(*given, **(named or {}))
        return function(*given, **(named or {}))


class _Operations(TorchDispatchMode):
    """Operations within others, like the `item` in torch's own functions."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        name = str(function)
        masks = name in _INDEXED and any(
            isinstance(one, Tensor) and one.dtype == torch.bool for one in given[1]
        )
        if name in _OPERATIONS or masks:
            self._waits.note(name)
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


class Launches(TorchDispatchMode):
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
def to_device_unseen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A context in which copies by `to_device`, which do not wait, are listed apart."""
    calls: list[str] = []

    def unseen(tensor: Tensor, device: torch.device) -> Tensor:
        if tensor.device != device:
            calls.append(_place())
        with _disable_current_modes():
            return to_device(tensor, device)

    with monkeypatch.context() as patch:
        for name, module in list(sys.modules.items()):
            own = name.startswith("dotcnn.training")
            if own and getattr(module, "to_device", None) is to_device:
                patch.setattr(module, "to_device", unseen)
        yield calls
