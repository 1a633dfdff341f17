"""Networks with several inputs and outputs: what they compute, and what they return it as."""

from __future__ import annotations

import pytest
import torch

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.inference.load import live
from networks import network

from .equality import hold

TWO_STREAMS = """
block tower(width) {
  conv width 3x3 same, bn, relu
  output side { pool avg global, flatten, fc 3, softmax }
  pool max 2x2
}

network Streams {
  input image 3x8x8
  input flow 2x8x8
  from image
  rgb: tower 4
  from flow
  motion: tower 6
  fused: concat rgb
  output mask: conv 5 1x1
  aux weight=0.4 { pool avg global, flatten, fc 7 }
  pool avg global, flatten
  output age: fc 1
  output gender { fc 2, softmax }
  output fused
}
"""

VECTOR = """
network Metadata {
  input image 1x8x8
  conv 4 3x3, relu, pool avg global
  pixels: flatten
  input facts 5
  fc 4, relu
  concat pixels
  fc 3
}
"""

LOOP = """
network Scales {
  input 3x16x16
  for width in [4, 8] {
    conv width 3x3 stride=2 same, relu
    output map: conv 2 1x1
  }
}
"""


@pytest.mark.parametrize("text", [TWO_STREAMS, VECTOR, LOOP])
@pytest.mark.parametrize("flat", [False, True])
def test_what_is_emitted_computes_the_network(text: str, flat: bool) -> None:
    hold(network(text), flat=flat)


def compiled(text: str) -> Network:
    return dotcnn.compile(text)


def test_inputs_are_arguments_and_outputs_fields() -> None:
    """By their names, in the order written; auxiliary ones last, and None in evaluation."""
    module = live(compiled(TWO_STREAMS), "0").eval()
    found = module(flow=torch.zeros(2, 2, 8, 8), image=torch.zeros(2, 3, 8, 8))
    names = ["rgb_side", "motion_side", "mask", "age", "gender", "fused", "aux"]
    assert list(found._fields) == names
    assert found.mask.shape == (2, 5, 4, 4)
    assert found.aux is None
    assert module.train()(torch.zeros(2, 3, 8, 8), torch.zeros(2, 2, 8, 8)).aux.shape == (2, 7)


def test_one_output_is_a_tensor_whatever_it_is_called() -> None:
    text = "network A {\n input 3x8x8\n conv 4 3x3\n output mask: conv 2 1x1\n}"
    module = live(compiled(text), "0")
    assert module(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 6, 6)
    assert "NamedTuple" not in dotcnn.emit(text)


def test_what_an_output_costs() -> None:
    """All that it is computed from; apart from that, what no other output needs."""
    found = dotcnn.report(compiled(TWO_STREAMS))
    costs = {entry["name"]: entry for entry in found["outputs"]}
    head = 4 * 3 + 3
    tower = 3 * 9 * 4 + 2 * 4
    assert costs["rgb.side"]["params"] == tower + head
    assert costs["rgb.side"]["own_params"] == head
    assert costs["fused"]["own_params"] == 0


def test_training_says_that_it_takes_one_output() -> None:
    text = (
        "network A { input 3x8x8, pool avg global, flatten, output age: fc 1, output gender: fc 2 }"
    )
    with pytest.raises(SpecError, match="2 outputs"):
        dotcnn.train(text, data="digits", quiet=True)
