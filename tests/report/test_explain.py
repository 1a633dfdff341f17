"""Figures written out, and finding the layer that somebody means."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.explain.layer import explain, layer_lines
from dotcnn.compiler.report.select import NotFound, select
from dotcnn.compiler.report.style import Style
from networks import gallery

from .examples import ALL, INCEPTION, LENET, RESIDUAL, UNET, analysed

Golden = Callable[[str, str], None]


def explained(text: str, wanted: str | None, width: int = 100) -> str:
    analysis = analysed(text)
    selection = None if wanted is None else select(analysis.network, wanted)
    return explain(analysis, selection, style=Style(width)) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("network", RESIDUAL, None),
        ("vector-network", ALL["vector"], None),
        ("input", LENET, "input"),
        ("conv", LENET, "conv2"),
        ("pool", LENET, "pool1"),
        ("fc", LENET, "fc1"),
        ("activation", LENET, "tanh1"),
        ("in-block", RESIDUAL, "layer2.0.conv1"),
        ("norm", RESIDUAL, "layer2.0.bn1"),
        ("sum", RESIDUAL, "layer2.0.add"),
        ("block", RESIDUAL, "layer2.0"),
        ("loop", RESIDUAL, "layer1"),
        ("concat", UNET, "concat1"),
        ("deconv", UNET, "deconv1"),
        ("aux", INCEPTION, "aux"),
        ("line", RESIDUAL, "3"),
        ("several", RESIDUAL, "layer1.0.conv"),
        ("many", RESIDUAL, "conv1"),
    ],
)
def test_text(name: str, text: str, wanted: str | None, golden: Golden) -> None:
    golden(f"report/explain.{name}.txt", explained(text, wanted))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_there_is_room(width: int) -> None:
    for wanted in (None, "layer2.0.conv1", "layer2.0.add", "layer1", "3"):
        assert max(map(len, explained(RESIDUAL, wanted, width).splitlines())) <= width


@pytest.mark.parametrize("name", ALL)
def test_what_is_written_out_comes_to_what_is_counted(name: str) -> None:
    """The last number of a line of arithmetic is the figure of the report."""
    analysis = analysed(ALL[name])
    for node in analysis.network.nodes:
        cost = analysis.costs[node.index]
        lines = dict(layer_lines(analysis, node))
        for what, figure in (("parameters", cost.params), ("multiply-adds", cost.macs)):
            assert (what in lines) == bool(figure)
            if figure:
                numbers = re.findall(r"\d[\d,]*", lines[what])
                assert f"{figure:,}" in numbers


@pytest.mark.parametrize("name", ["googlenet/googlenet", "shufflenet/shufflenet_v2_x0_5"])
def test_every_layer_of_a_large_network_can_be_explained(name: str) -> None:
    analysis = analyse(gallery(name))
    for node in analysis.network.nodes:
        assert node.name in explain(analysis, select(analysis.network, node.name))


def chosen(text: str, wanted: str) -> list[str]:
    return [node.name for node in select(analysed(text).network, wanted).layers]


def test_by_name() -> None:
    assert chosen(LENET, "fc2") == ["fc2"]


def test_by_the_beginning_of_a_name() -> None:
    assert chosen(LENET, "po") == ["pool1", "pool2"]


def test_by_the_end_of_a_name() -> None:
    assert chosen(RESIDUAL, "shortcut.conv") == ["layer2.0.shortcut.conv"]


def test_a_part_has_all_of_its_layers() -> None:
    assert len(chosen(RESIDUAL, "layer1.0")) == 7


def test_by_line() -> None:
    assert chosen(LENET, "3") == ["conv1", "tanh1"]
    assert chosen(RESIDUAL, "11") == ["stem", "bn", "relu"]


def test_a_line_in_a_block_is_explained_once() -> None:
    selection = select(analysed(RESIDUAL).network, "3")
    assert [node.name for node in selection.layers] == [
        "layer1.0.conv1",
        "layer1.0.bn1",
        "layer1.0.relu1",
    ]
    assert selection.others == 6 * 3


def test_a_line_that_calls_a_block_means_the_block() -> None:
    assert chosen(INCEPTION, "12") == ["unit.conv", "unit.bn", "unit.relu"]
    assert len(chosen(RESIDUAL, "12")) == 3 * 7


@pytest.mark.parametrize(
    ("wanted", "message", "help"),
    [
        ("cnov1", "no layer `cnov1`", "did you mean `conv1`?"),
        ("xyz", "no layer `xyz`", "`cnn report` lists the names"),
        ("", "no layer", "lists the names"),
        ("1", "line 1 of net.cnn makes no layer", "the closest line that does is 2"),
        ("99", "there is no line 99", ""),
    ],
)
def test_nothing_is_called_so(wanted: str, message: str, help: str) -> None:
    with pytest.raises(NotFound) as raised:
        select(analysed(LENET).network, wanted)
    assert message in raised.value.message
    assert help in raised.value.help


def test_a_label_does_not_hide_what_a_layer_is() -> None:
    net = "network LeNet {\n  input 1x32x32\n  c1: conv 6 5x5\n  s2: pool avg 2x2\n}\n"
    for wanted, name in (("pool", "`s2`"), ("conv1", "`c1`")):
        with pytest.raises(NotFound) as caught:
            select(analysed(net).network, wanted)
        assert caught.value.help.endswith(f"are {name}")
