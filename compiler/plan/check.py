"""What `cnn check` says about sections, beside what a plan of them would say."""

from __future__ import annotations

from collections.abc import Mapping

from ...dsl.diagnostics import Diagnostic
from ...dsl.program import Program
from ...dsl.syntax import Call
from ..elaborate import examine as elaborate
from ..graph import Network
from .data import Data, classes_of, wrong_classes
from .make import examine


def check_sections(
    program: Program, sections: Mapping[str, Call], network: Network | None
) -> list[Diagnostic]:
    """Everything that is to be said about the sections of a spec."""
    found = examine(program, sections, network)
    diagnostics = found.diagnostics
    data = found.around.find(Data)
    classes = classes_of(data) if data is not None and data.written else None
    if network is not None and classes is not None and network.output.shape != (classes,):
        # `fc classes` has as many outputs as the data has classes.
        again = elaborate(program, network=network.name, classes=classes).network
        if again is not None and len(again.output.shape) == 1 and again.output.shape != (classes,):
            assert data is not None
            diagnostics.append(wrong_classes(data, again, classes))
    return diagnostics
