"""`share`: a layer or block that is applied several times, with the same weights."""

from __future__ import annotations

import pytest
import torch

import dotcnn
from dotcnn.training.inference.load import live
from networks import network

from .equality import hold

ENCODER = """
block encoder(width) {
  conv width 3x3 same, bn, relu
  residual { conv width 3x3 same, bn }
  relu
}
"""

SIAMESE = f"""{ENCODER}
network Siamese {{
  input left 1x8x8
  input right 1x8x8
  from left
  one: encoder 4
  from right
  two: share one
  mul one
  pool avg global, flatten, fc 2
}}
"""

REFINED = """
network Refined {
  input 3x8x8
  conv 4 3x3 same
  step: conv 4 3x3 same
  repeat 2 { relu, share step, bn }
  again: residual { conv 4 1x1, relu }
  share again
  share again
}
"""

PYRAMID = f"""{ENCODER}
network Pyramid {{
  input 3x16x16
  fine: conv 4 3x3 same, relu
  coarse: conv 4 3x3 stride=2 same
  head: repeat 2 {{ encoder 4 }}
  output boxes {{ share head, conv 2 1x1 }}
  output classes {{ conv 4 1x1, share head, share head }}
  from fine
  output scores: share head
  output more: share boxes
  output again: share scores
  output head
}}
""".replace("fine: conv 4 3x3 same, relu", "conv 4 3x3 same\n  fine: relu")

IN_A_BLOCK = f"""{ENCODER}
block both(width) {{
  first: conv width 3x3 same, bn, relu
  begin: conv width 1x1
  tower: encoder width
  share tower
  add begin
}}
network Twice {{
  input 3x8x8
  both 4
  repeat 2 {{ both 6 }}
}}
""".replace("first: conv width", "conv width")

GIVEN_MAPS = """
block cell(a, width, b) {
  conv width 3x3 same, bn, relu
  add a
  conv width 3x3 same, bn
  mul b
}
network Given {
  input 4x8x8
  s: conv 4 3x3 same
  r: conv 4 1x1
  conv 4 3x3 same
  t: cell s 4 r
  u: share t
  v: share t r s
  w: share t b=u
  y: share t
  from w
  share t a=u b=s
  add y
  pool avg global, flatten, fc 2
}
"""
"""A recurrent refinement: its block gets the same maps by name in every round, or others."""

IN_PLACE = """
network InPlace {
  input 3x8x8
  conv 4 3x3 same
  unit: residual shortcut=identity { relu, conv 4 3x3 same }
  kept: conv 4 1x1
  share unit
  mul kept
  act: relu
  here: conv 4 1x1
  share act
  add here
}
"""


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("text", [SIAMESE, REFINED, PYRAMID, IN_A_BLOCK, IN_PLACE, GIVEN_MAPS])
def test_what_is_emitted_computes_the_network(text: str, flat: bool) -> None:
    hold(network(text), flat=flat)


def test_weights_are_counted_and_kept_once() -> None:
    found = network(SIAMESE)
    alone = network(f"{ENCODER}\nnetwork A {{\ninput 1x8x8\nencoder 4\n}}")
    figures, of_one = dotcnn.report(found)["totals"], dotcnn.report(alone)["totals"]
    assert figures["params"] == of_one["params"] + 4 * 2 + 2
    assert figures["macs"] == 2 * of_one["macs"] + 4 * 2
    module = live(found, "0")
    assert sum(each.numel() for each in module.parameters()) == figures["params"]
    assert {name.partition(".")[0] for name in module.state_dict()} == {"one", "fc"}


def test_the_same_image_gives_the_same_features() -> None:
    module = live(
        network(
            SIAMESE.replace("mul one", "output two\n  add one")
            .replace("fc 2", "output last: fc 2")
            .replace("from right", "output one\n  from right")
        ),
        "0",
    ).eval()
    image = torch.randn(1, 1, 8, 8)
    found = module(image, image)
    assert torch.equal(found.one, found.two)


def test_explain_says_whose_weights_they_are() -> None:
    from dotcnn.compiler.analysis import analyse
    from dotcnn.compiler.report.explain.layer import layer_lines

    found = network(SIAMESE)
    copy = found.by_name["two.one.conv1"]
    lines = {line.name: line.text for line in layer_lines(analyse(found), copy)}
    assert lines["parameters"] == "those of one.conv1, counted there (shared)"
