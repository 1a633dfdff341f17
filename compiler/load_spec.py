"""Loads a spec with its imports; if it does not parse, gives errors with fixes that were tried. The
parser knows the grammar, but no layers. Text that it cannot parse may be a line of Keras, torch,
Caffe or Darknet, which is recognized here; and a fix of the parser is only offered if the text
compiles with it. With those fixes applied, the rest of the file is checked as well, so that one
syntax error does not hide all other errors.
"""

from __future__ import annotations

from ..dsl.diagnostics import SpecError
from ..dsl.program import Program, load_program
from ..dsl.source import Source
from ..dsl.syntax import Call


def load(source: Source) -> Program:
    """Loads a program; raises SpecError with the errors of all files."""
    try:
        program = load_program(source)
    except SpecError as error:
        from .diagnose.unread import advised

        raise SpecError(advised(source, error.diagnostics)) from None
    if uses_plugins(program):
        from .extend.used_plugins import problems

        wrong = problems(program)
        if wrong:
            raise SpecError(wrong)
    return program


def uses_plugins(program: Program) -> bool:
    """Whether a file of a program has a line `use`."""
    return any(
        isinstance(statement, Call) and statement.head.value == "use"
        for spec in program.files
        for statement in spec.statements
    )
