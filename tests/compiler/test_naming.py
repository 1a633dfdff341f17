"""Names of layers: from labels, else from words counted in their scope."""

from __future__ import annotations

import pytest

import dotcnn
from networks import layers, names

BLOCK = "block pair(width) { conv width 3x3 same, bn, relu, conv width 3x3 same, bn, relu }"


def test_alone_by_the_word_among_several_by_number() -> None:
    assert names(layers("conv 8, relu, conv 8, bn, flatten, fc 10")) == [
        "conv1", "conv2", "bn", "fc",
    ]  # fmt: skip


def test_each_kind_is_counted_by_itself() -> None:
    """Putting an activation in renames no weight."""
    before = layers("repeat 2 { pair 8 }\nconv 3, bn", blocks=BLOCK)
    body = "relu\nrepeat 2 { pair 8\ngelu }\ndropout 0.5\nconv 3, silu, bn, pool max 2x2"
    assert names(layers(body, blocks=BLOCK)) == names(before)


def test_labels_nest() -> None:
    body = "stem: conv 8\nlayer1: repeat 2 { pair 8 }\nlayer2: pair 8\nlayer3: repeat 1 { conv 8 }"
    assert names(layers(body, blocks=BLOCK)) == [
        "stem",
        "layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2", "layer1.0.bn2",
        "layer1.1.conv1", "layer1.1.bn1", "layer1.1.conv2", "layer1.1.bn2",
        "layer2.conv1", "layer2.bn1", "layer2.conv2", "layer2.bn2",
        "layer3.0.conv",
    ]  # fmt: skip


def test_forms_without_a_label_are_no_scope() -> None:
    body = "residual { conv 3 3x3 same, bn }\nconcat { | conv 4 | conv 5 }\nres: residual { bn }"
    assert names(layers(body)) == ["conv1", "bn", "conv2", "conv3", "res.bn"]


def test_shortcuts_go_by_that_name() -> None:
    body = "residual { conv 8 stride=2 }\nresidual { conv 9 stride=2 }"
    assert names(layers(body)) == [
        "conv1", "shortcut1.conv", "shortcut1.bn", "conv2", "shortcut2.conv", "shortcut2.bn",
    ]  # fmt: skip


def test_numbers_make_room_for_labels() -> None:
    assert names(layers("conv1: conv 8\nconv 8\nconv 8")) == ["conv1", "conv2", "conv3"]


def test_names_are_unique() -> None:
    body = "for w in [4, 8] { conv w\npair w\nrepeat 2 { relu\npair w } }\npair 3\npair 3"
    found = layers(body, blocks=BLOCK)
    assert len({item.name for item in found.nodes}) == len(found.nodes)


def test_numbers_leave_the_words_of_others_alone() -> None:
    """A sixth `relu` is not called `relu6` where there is one."""
    found = layers("conv 4" + ", relu, conv 4" * 6 + ", relu6")
    assert {item.name for item in found.nodes if item.op.word == "relu6"} == {"relu6"}
    assert found.by_name["relu7"].op.word == "relu"


@pytest.mark.parametrize("name", ["T", "Double", "Net"])
def test_a_network_may_have_any_name_that_modules_leave_free(name: str) -> None:
    assert dotcnn.compile(f"network {name} {{\n  input 3x8x8\n  {name}: conv 4\n}}").name == name
