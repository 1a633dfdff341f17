"""`upsample like=stem`: a layer that reads the size of a map, and nothing of its values."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.compiler.analysis.field import fields
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import Diagnostic

NET = """
network N {{
  input 3x40x40
  stem: conv 8 3x3 stride=2 same
  bn
  deep: conv 8 3x3 stride=4 same
  {}
}}
"""


def network(body: str) -> Network:
    return dotcnn.compile(NET.format(body))


def mistake(body: str) -> Diagnostic:
    (told,) = [d for d in dotcnn.check(NET.format(body)) if d.severity == "error"]
    return told


def test_the_size_is_that_of_the_label() -> None:
    assert network("upsample like=stem").output.shape == (8, 20, 20)
    assert network("upsample 8, crop like=stem").output.shape == (8, 20, 20)
    assert network("upsample like=input").output.shape == (8, 40, 40)


def test_reading_the_size_is_no_reader_of_the_values() -> None:
    """The norm makes the bias useless, and the receptive field of `stem` does not count."""
    net = network("pool avg global, upsample like=stem")
    assert [w.name for w in net.by_name["stem"].weights] == ["weight"]
    alone = network("upsample to=20")
    like = network("upsample like=stem")
    assert fields(like)[-1] == fields(alone)[-1]
    assert [node.name for node in net.output.sources] == ["pool"]


def test_a_label_that_a_block_is_given() -> None:
    text = "block up(skip) { conv 4, upsample like=skip, concat skip }\n" + NET.format(
        "up deep\n up stem"
    )
    net = dotcnn.compile(text)
    assert net.output.shape == (12, 20, 20)
    ops = [node.op for node in net.nodes if node.op.word == "upsample"]
    assert ops[0] == ops[1]  # one class for both


def test_a_layer_of_which_only_the_size_is_read_is_dead() -> None:
    told = mistake("side: conv 4\n from deep\n upsample like=side")
    assert told.code == "dead-layer"
    assert told.message.startswith("only the size of `side` is read")


def test_an_input_may_be_there_for_its_size() -> None:
    text = "network N { input a 3x8x8, input b 1x20x20, from a, conv 4, upsample like=b }"
    assert dotcnn.compile(text).output.shape == (4, 20, 20)


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        ("upsample like=stm", "unknown-label", "did you mean `stem`?"),
        ("upsample like=4", "argument", "4 is not a label"),
        ("upsample 2 like=stem", "argument", "a factor or `like`, not both"),
        ("crop 4x4 like=stem", "argument", "take one of them out"),
        ("upsample stem", "unknown-flag", "write `like=stem`"),
        ("crop like=stem", "shape", "cannot keep 20 rows: the input has 5"),
    ],
)
def test_what_is_refused(body: str, code: str, part: str) -> None:
    told = mistake(body)
    assert told.code == code
    assert part in f"{told.message}\n{told.help}"


def test_a_default_cannot_name_a_label() -> None:
    (told,) = dotcnn.check("default upsample like=stem\n" + NET.format("upsample like=stem"))
    assert "no label is known at the top of a file" in told.message
