"""What a program can do with the package: compile, report, check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import dotcnn
from dotcnn.dsl.diagnostics import SpecError


def test_compile_takes_a_name_a_path_or_a_text(tmp_path: Path) -> None:
    text = "network Small(width=8) { input 3x8x8, conv width 3x3 same, relu }"
    file = tmp_path / "small.cnn"
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


def test_weights_are_loaded_or_said_not_to_fit(tmp_path: Path) -> None:
    text = "network Small { input 3x8x8, conv 4, flatten, fc WIDE }"
    first = dotcnn.load(text.replace("WIDE", "5"))
    file = tmp_path / "weights.pt"
    torch.save(first.state_dict(), file)
    again = dotcnn.load(text.replace("WIDE", "5"), weights=file)
    assert again.training
    assert all(map(torch.equal, again.state_dict().values(), first.state_dict().values()))
    with pytest.raises(SpecError, match=r"does not fit Small.*2 of a different shape"):
        dotcnn.load(text.replace("WIDE", "6"), weights=file)


def test_weights_are_also_those_of_a_run(tmp_path: Path) -> None:
    text = "network Small { input 3x8x8, conv 4, flatten, fc 5 }"
    first = dotcnn.load(text)
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(SpecError, match=r"no best\.safetensors yet"):
        dotcnn.load(text, weights=run)
    safetensors.torch.save_file(first.state_dict(), run / "best.safetensors")
    again = dotcnn.load(text, weights=run)
    assert all(map(torch.equal, again.state_dict().values(), first.state_dict().values()))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"epochs": -3}, "train(epochs=…)"),
        ({"set": {"train.epochs": -3}}, "train(set=…)"),
        ({"set": {"train.batch": 0}, "epochs": 2}, "train(set=…)"),
        ({"data": "/no/such/folder"}, "train(data=…)"),
    ],
)
def test_an_argument_that_is_wrong_is_named(given: dict[str, Any], place: str) -> None:
    """Not the option of the command line that does the same."""
    text = "network N { input 1x28x28, flatten, fc classes }\ntrain { data digits }"
    with pytest.raises(SpecError) as caught:
        dotcnn.train(text, **given)
    assert [d.span.source.name for d in caught.value.diagnostics if d.span] == [place]
