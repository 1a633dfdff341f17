"""What a program can do with the package: compile, report, check."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.dsl.diagnostics import SpecError


def test_compile_takes_a_name_a_path_or_a_text(tmp_path: object) -> None:
    from pathlib import Path

    text = "network Small(width=8) { input 3x8x8, conv width 3x3 same, relu }"
    file = Path(str(tmp_path)) / "small.cnn"
    file.write_text(text)
    for spec in (text, file, str(file)):
        assert dotcnn.compile(spec).output.shape == (8, 8, 8)
    assert dotcnn.compile(text, parameters={"width": 5}, input=(1, 4, 4)).output.shape == (5, 4, 4)
    assert dotcnn.compile("resnet18").output.shape == (1000,)


def test_report_is_the_json_of_the_command() -> None:
    figures = dotcnn.report("resnet50")
    assert figures["totals"]["params"] == 25_557_032
    assert figures["totals"]["macs"] == 4_089_184_256


def test_mistakes_are_data_or_an_exception() -> None:
    text = "network Small { input 3x8x8, cnov 8 }"
    (found,) = dotcnn.check(text)
    assert found.help == "did you mean `conv`?"
    with pytest.raises(SpecError, match="cnov"):
        dotcnn.compile(text)


def test_a_name_that_is_nothing_suggests_one_of_the_gallery() -> None:
    (found,) = dotcnn.check("resnet5")
    assert found.code == "no-such-file"
    assert "resnet50" in found.help or "resnet" in found.help
