"""A list of strings in one block of memory, which worker processes share."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

from torch import Tensor


class Strings(Sequence[str]):
    """An immutable sequence of strings. A plain list of a million names is a million objects, and
    each worker process would end up with a copy of them, because reading an object changes its
    reference count."""

    def __init__(self, items: Iterable[str]) -> None:
        pieces = [item.encode("utf-8", "surrogateescape") for item in items]
        self._text = b"".join(pieces)
        self._ends = array("Q")
        end = 0
        for piece in pieces:
            end += len(piece)
            self._ends.append(end)

    def __len__(self) -> int:
        return len(self._ends)

    def select(self, indices: Tensor) -> Strings:
        return Strings(self[index] for index in indices.tolist())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Strings: ...
    def __getitem__(self, index: int | slice) -> str | Strings:
        if isinstance(index, slice):
            return Strings(self[i] for i in range(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = self._ends[index - 1] if index else 0
        return self._text[start : self._ends[index]].decode("utf-8", "surrogateescape")
