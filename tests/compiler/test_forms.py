"""Forms: choices between values, defaults, labels as arguments, loops that carry, made paths."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dotcnn
from dotcnn.compiler.build.elaborate import elaborate, examine
from dotcnn.compiler.network import Node
from dotcnn.compiler.ops.merge import Chunk
from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from networks import layers
from support import grows_linearly


@pytest.mark.parametrize(
    ("expression", "channels"),
    [
        ("64 if on else 32", 64),
        ("64 if off else 32", 32),
        ("(1 if off else 2 if 3 > 2 else 4)", 2),
        ("(1 if on else 1/0)", 1),
        ("2*(3 if channels == 3 else 4) + 1", 7),
        ("max(1 if off else 5, 2)", 5),
    ],
)
def test_a_choice_between_values(expression: str, channels: int) -> None:
    """Only the value that is taken is computed."""
    assert layers(f"conv {expression}").output.shape[0] == channels


@pytest.mark.parametrize(
    ("expression", "channels"),
    [
        ("[8, 16, 32][1]", 16),
        ("[8, 16, 32][-1]", 32),
        ("[(8, 1), (16, 2)][1][0]", 16),
        ("3x5[1]", 5),
        ("(4, 6)[channels - 2]", 6),
        ("2**5", 32),
        ("2**3**2//8", 64),
        ("-(-2**2)", 4),
        ("2*3**2 + 1", 19),
        ("8*2**-1", 4),
        ("4**0.5", 2),
        ("[1, 2][0]**7 + [8, 9][1]", 10),
    ],
)
def test_items_and_powers(expression: str, channels: int) -> None:
    assert layers(f"conv {expression}").output.shape[0] == channels


def test_a_flag_is_a_value_where_a_variant_chooses() -> None:
    text = """
block unit(tf, norm) { conv 8 3x3 stride=2 same=(not tf) same_upper=tf standardize=(norm == gn) }
network N(tf=off) { input 3x33x33, unit tf bn, unit (not tf) bn, unit tf gn }
"""
    flags = ("same", "same_upper", "standardize")
    found = [tuple(node.op.arguments[flag] for flag in flags) for node in layers_of(text)]
    assert found == [(True, False, False), (False, True, False), (True, False, True)]


def layers_of(text: str) -> list[Node]:
    return [node for node in elaborate(load_program(Source("n", text))).nodes if node.inputs]


def test_a_loop_over_items_counts_them() -> None:
    text = "for width, k in [(8, 3), (16, 5)] as i { conv width k stride=i + 1 same }"
    strides = [node.op.arguments["stride"] for node in layers(text).nodes[1:]]
    assert strides == [(1, 1), (2, 2)]
    paths = "concat { for w in [4, 6, 8] as i { | conv w 1x1, bn, relu, conv w + i 1x1 } }"
    assert layers(paths).output.shape[0] == 4 + 7 + 10


def test_items_and_powers_are_written_into_the_class_of_a_block() -> None:
    text = """
block unit(widths, i) { conv widths[i] 3x3 stride=2**(i % 2) same, bn, conv 4*2**i, relu }
network Net { input 3x16x16, repeat 3 as i { unit [8, 12, 20] i } }
"""
    source = dotcnn.emit(text)
    assert "stride=2 ** (index % 2)" in source
    assert "nn.BatchNorm2d(widths[index])" in source
    assert "4 * 2**index" in source
    assert dotcnn.load(text)(torch.zeros(1, 3, 16, 16)).shape == (1, 16, 8, 8)


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        ("conv [4, 8][2]", "index", "the last `[4, 8][1]`"),
        ("conv [4, 8][-3]", "index", "has 2 items, and there is no item -3"),
        ("conv [4, 8][0.5]", "type", "an item is chosen by a whole number"),
        ("conv [4, 8][on]", "type", "an item is chosen by a whole number, not by `on`"),
        ("conv channels[0]", "type", "only a list or a tuple has items"),
        ("conv widths[0]", "unknown-name", "there is no value named `widths`"),
        ("let w = [4, 8], conv w [0]", "argument", "without a blank: `w[0]`"),
        ("conv 2**300", "limit", "too large"),
        ("conv 1e300**3", "limit", "too large"),
        ("conv 2**2**2**2**2**2**2", "limit", "too large"),
        ("conv 0**-1", "division", "a negative power of 0"),
        ("conv (-2)**0.5", "type", "not a real number"),
        ("conv 2^3", "foreign-sign", "`2**i`"),
        ("for i, w in [4, 8] { conv w }", "destructuring", "`for w in [4, 8] as i`"),
        ("for i, w in enumerate([4, 8]) { conv w }", "unknown-function", "as i { … }`"),
    ],
)
def test_items_and_powers_that_have_no_value(line: str, code: str, part: str) -> None:
    told = [d for d in dotcnn.check(f"network N {{ input 3x8x8, {line} }}") if d.code == code]
    assert len(told) == 1
    assert part in f"{told[0].message}\n{told[0].help}"


def test_a_choice_is_written_into_the_class_of_a_block() -> None:
    text = """
block unit(width, down=off) { conv (2*width if down else width) 3x3 stride=(2 if down else 1) same }
network Net { input 3x8x8, unit 4, unit 4 down=on, unit 6 }
"""
    source = dotcnn.emit(text)
    assert "2 * width if down else width" in source
    assert "stride=2 if down else 1" in source
    assert source.count("class ") == 2


def ops(text: str) -> list[tuple[str, object]]:
    return [(n.op.word, n.op.arguments) for n in elaborate(load_program(Source("n", text))).nodes]


def test_defaults_are_for_the_layers_of_their_file_that_do_not_say_otherwise() -> None:
    text = """
default bn eps=1e-3 momentum=0.01
default residual shortcut=project
default pool max same
network Net {
  input 3x8x8
  conv 8 3x3 same, bn, bn eps=1e-5, pool max 3x3 stride=1, pool max 2x2 same=off
  residual { conv 8 1x1, bn }
}
"""
    given = [arguments for word, arguments in ops(text) if word == "bn"]
    rates = [(each["eps"], each["momentum"]) for each in given]
    assert rates == [(1e-3, 0.01), (1e-5, 0.01), (1e-3, 0.01), (1e-3, 0.01)]
    network = elaborate(load_program(Source("n", text)))
    assert network.by_name["shortcut.bn"].op.arguments["eps"] == 1e-3
    assert network.output.shape == (8, 4, 4)


def test_defaults_are_not_for_blocks_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "blocks.cnn").write_text("block unit() { conv 4, bn }\n")
    (tmp_path / "net.cnn").write_text(
        'import "blocks.cnn"\ndefault bn eps=1e-3\nnetwork N { input 3x8x8, unit, bn }\n'
    )
    network = dotcnn.compile(tmp_path / "net.cnn")
    assert [n.op.arguments["eps"] for n in network.nodes if n.op.word == "bn"] == [1e-5, 1e-3]


BLOCKS = "\n".join(f"block b{n}(m) {{ b{n + 1} m, b{n + 1} m }}" for n in range(40))
MANY = [f"x{n}" for n in range(200)]
HOSTILE = {
    "blocks of blocks, which hand a label on": f"{BLOCKS}\nblock b40(m) {{ add m }}\n"
    "network N {\n  input 3x8x8\n  a: conv 3\n  relu, b0 a\n}",
    "many labels carried": "network N {\n  input 3x8x8\n"
    + "\n".join(f"  {name}: conv 3" for name in MANY)
    + "\n  repeat 2000 { relu, carry "
    + " ".join(f"{one}={two}" for one, two in zip(MANY, MANY[1:] + MANY[:1], strict=True))
    + " }\n}",
    "paths made by loops in loops": "network N {\n  input 3x8x8\n"
    "  concat { repeat 1000 { repeat 1000 { | relu } } }\n}",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_specs_end_at_the_limit(what: str) -> None:
    program = load_program(Source("n", HOSTILE[what]))
    found = examine(program, max_layers=2000).diagnostics
    assert [each.code for each in found] == ["limit"]


def test_what_a_loop_carries_is_counted_in_linear_time() -> None:
    text = (
        "network N {{\n  input 3x8x8\n  a: conv 3\n  repeat {} {{ relu, add a, carry a=input }}\n}}"
    )
    assert grows_linearly(
        lambda count: elaborate(load_program(Source("n", text.format(count)))), 500
    )


def test_a_loop_that_carries_is_a_loop_in_forward() -> None:
    text = """
block cell(old, width) { add { | conv width 3x3 same | from old, conv width } }
network N {
  input 3x8x8
  old: conv 8
  conv 6
  cells: repeat 5 { cell old 6, carry old=input }
  add old
}
"""
    source = dotcnn.emit(text)
    assert "for cell in self.cells:\n            x, old = cell(x, old), x\n" in source
    assert "def forward(self, x: Tensor, old: Tensor) -> Tensor:" in source
    assert source.count("class ") == 2


def test_a_block_carries_what_it_was_given() -> None:
    """A parameter that a loop carries is in each round what the round before made of it."""
    text = """
block cell(old) { add { | conv 8 | from old, conv 8 } }
block cells(old) { repeat 3 { cell old, carry old=input }, mul old }
network N {
  input 3x8x8
  a: conv 8
  conv 8, cells a
}
"""
    network = dotcnn.compile(text)
    by_name = {node.name: [each.name for each in node.inputs] for node in network.nodes}
    reads = [by_name[f"cells.blocks.{number}.conv2"] for number in range(3)]
    assert reads == [["a"], ["conv"], ["cells.blocks.0.add"]]
    assert by_name["cells.mul"] == ["cells.blocks.2.add", "cells.blocks.1.add"]


def test_paths_stand_under_the_bar_of_their_form() -> None:
    text = """network N {
  input 3x8x8
  concat {
    | conv 8 1x1
    for k in [3, 5] { | conv 8 k same }
    if classes > 5 {
      | pool max 3x3 stride=1 same
    }
  }
}
"""
    assert print_spec(parse(text)) == text
    assert layers("concat { | conv 8\nrepeat 2 { | conv 4 } }").output.shape[0] == 16


def test_loops_and_ifs_make_the_paths_of_a_split() -> None:
    network = layers("conv 12\nsplit { for k in [1, 3, 5] { | conv 4 k same } }")
    assert network.output.shape[0] == 12
    parts = [node.shape[0] for node in network.nodes if isinstance(node.op, Chunk)]
    assert parts == [4, 4, 4]
    network = layers("conv 12\nsplit 6 3 3 { |\n repeat 2 { | conv 5 } }")
    assert network.output.shape[0] == 6 + 5 + 5
    network = layers("conv 12\nsplit { | conv 4\n | conv 5\n if 1 == 1 { | conv 6 } }")
    assert network.output.shape[0] == 15
    with pytest.raises(dotcnn.SpecError, match="`split` makes 2 parts, and there are 3 paths"):
        layers("conv 12\nsplit 6 6 { |\n repeat 2 { | conv 5 } }")


def test_a_channel_split_of_uneven_parts() -> None:
    network = layers("conv 16\nsplit 12 4 { | conv 8 | }")
    assert network.output.shape[0] == 12
