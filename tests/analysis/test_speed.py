"""Time grows with the network, and no faster."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis import Analysis, analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network
from networks import program
from support import processor_seconds

UNIT = """
block unit {
  residual { conv 16 3x3 same, bn, relu, conv 16 3x3 same, bn }
  relu
}"""


def of(nodes: int) -> Network:
    """A residual network of about so many nodes."""
    body = f"conv 16 3x3 same, repeat {nodes // 7} {{ unit }}, pool avg global, flatten, fc 10"
    text = f"{UNIT}\nnetwork Net {{\ninput 3x32x32\n{body}\n}}"
    return elaborate(program(text), max_layers=2 * nodes)


def everything(analysis: Analysis) -> None:
    _ = analysis.totals, analysis.fields, analysis.lints
    memory = analysis.memory
    _ = memory.kept, memory.forward, memory.training.fit(24 * 2**30)


@pytest.mark.slow
def test_ten_times_the_nodes_take_ten_times_as_long() -> None:
    small, large = of(10_000), of(100_000)
    few = processor_seconds(lambda: everything(analyse(small)), runs=5)
    many = processor_seconds(lambda: everything(analyse(large)), runs=2)
    assert many < 1.5 * 10 * few


def test_depth_is_no_limit() -> None:
    """Nothing calls itself along the graph."""
    everything(analyse(of(20_000)))
