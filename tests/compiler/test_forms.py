"""Forms of the language: choices between values, defaults of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from networks import layers


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
