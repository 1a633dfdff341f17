"""Everything that is to be said about a spec: mistakes, and warnings about what is only unwise."""

from __future__ import annotations

from ..dsl.diagnostics import Diagnostic, has_errors, in_order
from ..dsl.program import Program
from .budget import DEFAULT_LAYERS
from .elaborate import examine
from .graph import Network
from .shapes import Shape


def check(
    program: Program,
    *,
    network: str | None = None,
    input_shape: Shape | None = None,
    max_layers: int = DEFAULT_LAYERS,
) -> list[Diagnostic]:
    """A file of blocks alone is well, too: it is there to be imported."""
    found = examine(
        program,
        network=network,
        input_shape=input_shape,
        max_layers=max_layers,
        needs_network=network is not None,
    )
    diagnostics = found.diagnostics
    if found.network is not None and not has_errors(diagnostics):
        from .analysis.lints import lint

        diagnostics = in_order([*diagnostics, *lint(found.network)])
        diagnostics = [d for d in diagnostics if not silenced(d, found.network)]
    return diagnostics


def silenced(diagnostic: Diagnostic, network: Network) -> bool:
    """Whether the spec says `allow "code"` around the place."""
    span = diagnostic.span
    if diagnostic.severity == "error" or span is None:
        return False
    return any(
        code == diagnostic.code
        and region.source is span.source
        and region.start <= span.start <= region.end
        for region, code in network.allowed
    )
