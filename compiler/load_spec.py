"""A spec with all that it imports; where it cannot be read, mistakes with fixes that hold.

The parser knows the grammar and no layers. What it cannot read may be a line of Keras, torch,
Caffe or Darknet, so that is looked for here; and a fix that it offers is only offered further if
the text compiles with it. With those fixes made, the rest of the file is checked as well, so that
one slip of the keyboard does not hide all other mistakes.
"""

from __future__ import annotations

from ..dsl.diagnostics import SpecError
from ..dsl.program import Program, load_program
from ..dsl.source import Source


def load(source: Source) -> Program:
    """Raises SpecError with the mistakes of all files."""
    try:
        return load_program(source)
    except SpecError as error:
        from .diagnose.unread import advised

        raise SpecError(advised(source, error.diagnostics)) from None
