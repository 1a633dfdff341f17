"""A network as the text of a torch module."""

from __future__ import annotations

from ..network import Network
from .module import EMITTED, module

__all__ = ["EMITTED", "emit"]


def emit(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module that computes what the network says.

    `flat`: one class with a line for each layer, for teaching. `main`: a small check at the end.
    """
    return module(network, version, flat=flat, main=main)
