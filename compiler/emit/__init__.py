"""A network as the text of a torch module: one class for each block, written from its syntax.

  Network, with the Walk that carried its program out
    -> Body        the steps of one call of a block, from the graph                    body
    -> Item, ...   the steps of all its calls; where they differ, a Choice, which is
                   an `if` of the spec or the shortcut of a residual                   branches
    -> Twin        a call of each kind carried out once more, its parameters traced    traced_walk
    -> Code        how the module of a step is made, in that call              made_modules, loops
    -> Contents    that of each step, right in all calls; arguments            class_contents
    -> list[str]   the lines of a class: its constructor                       constructor
                   and its `forward`                                           forward

A value on the way is a value: what `Op.torch` gives is a `Constructor` with numbers in it. A traced
number (`traced_values`) is the number and the `Code` that it comes from, so that `conv 4*width 1x1`
leads to `nn.Conv2d(in_channels, 4 * width, 1)`: names of parameters, what a `let` is called, what
arrives as `in_channels`, and arithmetic. A module, a loop of modules and a number are all `Code`
(`code`): a tree that has a text, and a value once its names have some. One of a traced call is
written only where its value is right in every call that the network makes; what the text does not
say (the padding of a kernel that is 3 in one call and 1x7 in another) becomes an argument. Calls
that no `if` tells apart, as those of a block that is handed another block, are classes of their
own.

Steps are named, and modules with them, by `build.naming`; that is a public format. All text passes
`allowed` before it is run.
"""

from __future__ import annotations

from ..network import Network
from .module import EMITTED, module

__all__ = ["EMITTED", "emit"]


def emit(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module that computes what the network says.

    `flat`: one class with a line for each layer, for teaching. `main`: a small check at the end.
    """
    return module(network, version, flat=flat, main=main)
