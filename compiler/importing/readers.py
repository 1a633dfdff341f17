"""The formats of other tools that networks are read from: each is one function in a file of its
own, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from ...dsl.source import Source

if TYPE_CHECKING:
    from ..shapes import Shape
    from .graph import Graph

Read = Callable[[Source, "Shape | None"], "Graph"]
"""Reads a text; the shape replaces that of the input, or says it where the file does not."""


class Format(NamedTuple):
    tool: str
    endings: tuple[str, ...]
    module: str
    """Its file; it is imported when it is needed, since some need libraries of their own."""
    function: str

    @property
    def read(self) -> Read:
        module = import_module(f".{self.module}", __package__)
        read: Read = getattr(module, self.function)
        return read


FORMATS = (
    Format("Caffe", (".prototxt", ".pbtxt"), "caffe", "read_caffe"),
    Format("Darknet", (".cfg",), "darknet", "read_darknet"),
)


def format_of(file: str) -> Format | None:
    """The format of a file, by its ending."""
    ending = PurePath(file).suffix.lower()
    return next((each for each in FORMATS if ending in each.endings), None)
