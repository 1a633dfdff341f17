"""`LAYER[:channels]` and names of classes on the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.show.choose_layer import choose_classes, choose_layer

from .looking import subject

NET = replace(
    subject("conv 8 3x3, relu\n repeat 2 { conv 8 3x3 same, relu }\n flatten, fc 3"),
    classes=("ants", "Bees", "12"),
)


@pytest.mark.parametrize(
    ("written", "name", "channels"),
    [
        ("conv", "conv", None),
        ("conv:3", "conv", (3,)),
        ("conv:0-2,7,1", "conv", (0, 1, 2, 7)),
        ("fc:bees,0", "fc", (1, 0)),
        ("fc:12", "fc", (2,)),
        ("blocks.0", "blocks.0.relu", None),
    ],
)
def test_layers_and_channels(written: str, name: str, channels: tuple[int, ...] | None) -> None:
    chosen = choose_layer(NET, written, "--dream")
    assert (chosen.node.name, chosen.channels) == (name, channels)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("conf", "did you mean `conv`"),
        ("", "needs the name of a layer"),
        ("conv:8", "it has 8, numbered from 0 to 7"),
        ("conv:5-3", "write `3-5`"),
        ("conv:x", "write numbers from 0 on"),
        ("conv:", "write numbers from 0 on"),
        ("conv:-1", "write numbers from 0 on"),
        ("fc:beess", "did you mean `Bees`"),
        ("blo", "write the whole name"),
    ],
)
def test_wrong_ones_are_answered_with_a_way_out(written: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        choose_layer(NET, written, "--dream")
    assert message in str(raised.value)


def test_classes_by_name_or_number() -> None:
    assert choose_classes(NET, "BEES", "--why") == (1,)
    assert choose_classes(NET, "ants,1", "--why") == (0, 1)
    assert choose_classes(NET, "12", "--why") == (2,), "a name comes before a number"
    for wrong in ("3", "wasps", "", "-1"):
        with pytest.raises(SpecError, match="has no class"):
            choose_classes(NET, wrong, "--why")
