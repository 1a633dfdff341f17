"""The table: what it says, and that it fits wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.rows import name_of_several, rows
from dotcnn.compiler.report.select import NotFound, select
from dotcnn.compiler.report.short_names import shortened
from dotcnn.compiler.report.style import Style
from dotcnn.compiler.report.table import table
from networks import gallery, network

from .examples import ALL, INCEPTION, RESIDUAL, analysed

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", ALL)
def test_whole_table(name: str, golden: Golden) -> None:
    golden(f"report/{name}.table.txt", table(analysed(ALL[name])) + "\n")


@pytest.mark.parametrize("depth", [1, 2])
def test_parts_taken_together(depth: int, golden: Golden) -> None:
    golden(f"report/residual.depth{depth}.txt", table(analysed(RESIDUAL), depth=depth) + "\n")


def test_what_only_one_output_needs() -> None:
    """Both heads read 8 numbers of the convolution: 8 * 10 + 10 parameters, and 8 * 2 + 2."""
    body = "input 3x8x8, conv 8 8x8, flatten, output age: fc 10, output gender: fc 2"
    net = network(f"network N {{ {body} }}")
    lines = table(analyse(net)).splitlines()
    at = next(number for number, line in enumerate(lines) if "own params" in line)
    assert lines[at].split() == [
        *("output", "shape", "layers", "params", "MACs", "own", "params", "own", "MACs")
    ]
    conv, macs = 3 * 8 * 8 * 8 + 8, 3 * 8 * 8 * 8
    assert [line.split() for line in lines[at + 2 : at + 4]] == [
        ["age", "10", "3", f"{conv + 90:,}", f"{macs + 80:,}", "90", "80"],
        ["gender", "2", "3", f"{conv + 18:,}", f"{macs + 16:,}", "18", "16"],
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_width(width: int, golden: Golden) -> None:
    shown = table(analysed(INCEPTION), style=Style(width))
    golden(f"report/inception.width{width}.txt", shown + "\n")


@pytest.mark.parametrize("name", ["googlenet/googlenet", "densenet/densenet121", "vgg/vgg16"])
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_no_line_is_wider_than_there_is_room(name: str, depth: int | None) -> None:
    analysis = analyse(gallery(name))
    for width in (40, 60, 72, 80, 100, 120, 200):
        lines = table(analysis, depth=depth, style=Style(width)).splitlines()
        assert max(map(len, lines)) <= width


def columns(lines: list[str]) -> list[str]:
    return lines[2].split()


def test_the_memory_stays_at_80_columns_where_names_are_long() -> None:
    """It is in the first layers of VGG-16; its names are `features.0.blocks.0.conv`."""
    lines = table(analyse(gallery("vgg/vgg16")), style=Style(80)).splitlines()
    assert columns(lines) == ["name", "layer", "output", "MiB", "params", "MACs", "sees"]
    assert lines[5].split()[0] == "featu.0.block.0.conv"
    assert "conv 64 3x3 same" in lines[5]
    assert any("featu.0.block.0.conv is features.0.blocks.0.conv" in line for line in lines)
    wide = table(analyse(gallery("vgg/vgg16")), style=Style(120))
    assert "shortened" not in wide
    assert "features.0.blocks.0.conv" in wide


def test_the_receptive_field_of_a_network_with_gates() -> None:
    """Behind a gate, every pixel depends on all others; that is before the head."""
    gate = "conv 8 3x3 same\n gate { pool avg global, conv 8 1x1, sigmoid }\n conv 8 3x3 same"
    body = f"input 3x32x32\n {gate}\n pool avg global\n flatten\n fc 4"
    shown = table(analyse(network(f"network N {{ {body} }}")))
    assert re.search(r"receptive field +3x3  of 32x32, up to conv1, then all", shown)


def test_a_layer_is_cut_at_its_end() -> None:
    """The kernel and the stride say more than what comes last."""
    text = "network N { input 3x64x64, conv 64 7x7 stride=2 pad=3 bias=off }"
    shown = table(analyse(network(text)), style=Style(60))
    assert re.search(r"conv 64 7x7 \S*\.\. ", shown)


def test_half_of_the_memory_of_vgg_is_in_the_first_layers() -> None:
    shown = table(analyse(gallery("vgg/vgg16")), style=Style(120))
    assert "half of it in the first 6, up to features.1.blocks.0.conv" in shown
    assert "109.4 MiB in fp32 if none is overwritten" in shown


NAMES = [
    "features.denseblock1.denselayer2.conv1", "features.denseblock1.transition.conv1",
    "block.0.conv", "blocks.0.conv", "3.4.x", "fc", "layer1.1..4", "a.überlang.conv",
]  # fmt: skip


@pytest.mark.parametrize("letters", [1, 3, 6, 99])
def test_shortened_names_are_told_apart(letters: int) -> None:
    short = shortened(NAMES, letters)
    assert list(short) == NAMES
    assert len(set(short.values())) == len(NAMES)
    for name, shown in short.items():
        assert shown.rpartition(".")[2] == name.rpartition(".")[2]
        assert len(shown) <= len(name)
    assert letters < 99 or list(short.values()) == NAMES
    assert letters != 3 or short[NAMES[0]] == "fea.denseb1.densel2.conv1"


def test_a_shortened_name_selects_its_layer() -> None:
    vgg = gallery("vgg/vgg16")
    assert select(vgg, "feat.0.bloc.1.conv") == select(vgg, "features.0.blocks.1.conv")
    assert select(vgg, "feat.2.blocks") == select(vgg, "features.2.blocks")
    assert select(vgg, "feat.0").layers == select(vgg, "features.0").layers
    for wanted in ("f.0.bloc.9.conv", "feat.0.blocs.0.conv", "0.bloc.0.conv", "x.fc1", ".fc1"):
        with pytest.raises(NotFound):
            select(vgg, wanted)


def test_a_wide_number_does_not_break_the_table() -> None:
    analysis = analysed(f"network N {{ input {2**40}x1x1, flatten, fc {2**50} }}")
    shown = table(analysis, style=Style(60))
    assert max(map(len, shown.splitlines())) <= 60
    assert str(2**40 * 2**50 + 2**50) in shown.replace(",", "")  # in the totals it is exact


@pytest.mark.parametrize("name", ALL)
def test_colours_change_no_letter(name: str) -> None:
    analysis = analysed(ALL[name])
    plain = table(analysis)
    coloured = table(analysis, style=Style(color=True))
    assert "\x1b[" not in plain
    assert coloured != plain
    bare = re.sub(r"\x1b\[[0-9]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_lost_at_any_depth(name: str) -> None:
    analysis = analysed(ALL[name])
    for depth in (1, 2, 3, 9):
        found = rows(analysis, depth)
        main = [row for row in found if not row.aux]
        assert sum(row.params for row in main) == analysis.totals.params
        assert sum(row.macs for row in main) == analysis.totals.macs
        assert sum(row.layers for row in found) == len(analysis.network.nodes)


def test_at_a_great_depth_every_layer_has_its_row() -> None:
    analysis = analysed(RESIDUAL)
    assert [row.name for row in rows(analysis, 9)] == [row.name for row in rows(analysis)]


def test_parts_alike_share_a_row() -> None:
    """The first block of a stage is another one: it halves the map."""
    analysis = analysed(RESIDUAL)
    found = {row.name: row.layer for row in rows(analysis, 2)}
    assert found["layer1.0..2"] == "basic 16 x3, 21 layers"
    assert found["layer2.0"] == "basic 32 stride=2, 9 layers"
    assert found["layer2.1..3"] == "basic 32 x3, 21 layers"


def test_parts_of_another_shape_do_not() -> None:
    text = "network N { input 3x64x64, repeat 3 { conv 8 3x3 stride=2 same, relu } }"
    assert [row.name for row in rows(analyse(network(text)), 2)] == [
        "input",
        "blocks.0",
        "blocks.1",
        "blocks.2",
    ]


def test_an_auxiliary_head_inside_a_part_has_its_own_row() -> None:
    text = """
block stage(width) {
  conv width 3x3 same, relu
  aux { pool avg global, flatten, fc 4 }
  conv width 3x3 same, relu
}
network N { input 3x8x8, stage 8, pool avg global, flatten, fc 4 }
"""
    analysis = analysed(text)
    found = {row.name: row for row in rows(analysis, 1)}
    assert found["stage.aux"].aux
    assert found["stage.aux"].params == analysis.totals.aux_params
    assert found["stage"].layers == 4


@pytest.mark.parametrize(
    ("names", "together"),
    [
        (["a"], "a"),
        (["layer1.0", "layer1.1", "layer1.2"], "layer1.0..2"),
        (["unit2", "unit3"], "unit2..3"),
        (["unit9", "unit10"], "unit9..10"),
        (["a.left", "a.right"], "a.left..right"),
    ],
)
def test_name_of_several(names: list[str], together: str) -> None:
    assert name_of_several(names) == together


def test_a_flag_with_a_value_keeps_it() -> None:
    found = rows(
        analyse(network("network N { input 3x32x32, pool avg adaptive=5, pool max 3 adaptive }"))
    )
    assert [row.layer for row in found[1:]] == ["pool avg adaptive=5", "pool max 3x3 adaptive"]
