"""A network as the text of a torch module: one class for each block, written from its syntax.

  Network, with the Walk that executed its program
    -> Interface   what each scope reads, and what is read of it                 interfaces
    -> Body        the steps of one call of a block, from the graph                    body
    -> Item, ...   the steps of all its calls; where they differ, a Choice, which is
                   an `if` of the spec or the shortcut of a residual                   branches
    -> Twin        one call of each kind executed again with traced parameters         traced_walk
    -> Code        the code that creates the module of a step, in that call    made_modules, loops
    -> Contents    the code of each step, right in all calls; arguments        class_contents
    -> list[str]   the lines of a class: its constructor                       constructor
                   and its `forward`                                           forward

Values stay values until the end: `Op.torch` returns a `Constructor` with numbers in it. A traced
number (`traced_values`) is a number with the `Code` that computes it, so that `conv 4*width 1x1`
leads to `nn.Conv2d(in_channels, 4 * width, 1)`: names of parameters and of `let` statements,
`in_channels`, and arithmetic. Modules, loops of modules and numbers are all `Code` (`code`): a tree
with a text, and with a value for given values of its names. The code of a traced call is written
only if its value is right in every call that the network makes; a value that the text of the spec
does not determine (the padding of a kernel that is 3 in one call and 1x7 in another) becomes an
argument. Calls that no `if` distinguishes, for example of a block that another block is passed to,
become separate classes.

Rounds that carry labels are called in a loop, `for cell in self.cells: x, old = cell(x, old), x`,
where each round reads and returns the same values as the others (`carried`); else they are
written out.

`build.naming` names steps and thereby modules; that is a public format. All text passes `allowed`
before it is executed.
"""

from __future__ import annotations

from ..extend.used_plugins import words_of
from ..network import Network
from .module import EMITTED, module

__all__ = ["EMITTED", "emit"]


def emit(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module that computes what the network says.

    `flat`: one class with a line for each layer, for teaching. `main`: a small check at the end.
    """
    with words_of(network.program):
        return module(network, version, flat=flat, main=main)
