"""Values of arguments that mean the opposite in other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic, Edit
from ..network import Network
from .field import Field
from .warn import statement_text, warning

KEPT = 0.5
"""From this momentum on, a norm forgets most of its running averages at each batch; the gallery has
0.1 and less. At 1 it keeps the last batch alone, which is meant."""


def turned_momentum(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of a norm whose `momentum` is that of Keras or Caffe: the share that is kept."""
    for node in network.nodes:
        momentum = getattr(node.op, "momentum", 0)
        if node.op.kind != "norm" or not KEPT <= momentum < 1:
            continue
        instead = f"momentum={round(1 - momentum, 9):g}"
        text = statement_text(node)
        mended = re.sub(r"\bmomentum=[\d.]+(?![\w.])", instead, text, count=1)
        sound = mended != text
        yield warning(
            "turned-momentum",
            f"`momentum={momentum:g}`: each batch replaces {100 * momentum:g} % of the running"
            " averages",
            node,
            notes=(
                f"it is the share of the new batch here, as in torch; Keras' {momentum:g} is"
                f" `{instead}`",
            ),
            help=f"write `{mended if sound else instead}`",
            edits=(Edit(node.span, mended),) if sound else (),
        )
