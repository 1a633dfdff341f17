"""What `cnn check` says about sections, beside what a plan of them would say."""

from __future__ import annotations

from collections.abc import Mapping

from ...dsl.diagnostics import Diagnostic
from ...dsl.program import Program
from ...dsl.syntax import Call
from ..build.elaborate import examine as elaborate
from ..network import Network
from .classes import wrong_classes
from .data import Data, classes_of
from .make import examine


def check_sections(
    program: Program, sections: Mapping[str, Call], network: Network | None
) -> list[Diagnostic]:
    """Everything that is to be said about the sections of a spec."""
    found = examine(program, sections, network)
    diagnostics = found.diagnostics
    data = found.around.find(Data)
    classes = classes_of(data) if data is not None and data.written else None
    if network is not None and classes is not None and _ends_elsewhere(network, classes):
        # `fc classes` has as many outputs as the data has classes.
        again = elaborate(program, network=network.name, classes=classes).network
        if again is not None and len(again.output.shape) == 1:
            assert data is not None
            wrong = wrong_classes(data, again, classes)
            diagnostics += [wrong] if wrong else []
    return diagnostics


def _ends_elsewhere(network: Network, classes: int) -> bool:
    outputs = [network.output, *(head.output for head in network.aux)]
    return any(output.shape != (classes,) for output in outputs)
