"""The report on a part of a network: of a block, of a path, of several layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Result
from commands import run as run_command
from dotcnn.compiler.network import Scope
from dotcnn.compiler.report.part import PartOfNetwork, part_name, part_rows, part_totals
from dotcnn.compiler.report.select import NotFound, select

from .examples import INCEPTION, RESIDUAL, analysed

TWICE = """\
block two { add {
  | conv 8
  | conv 8 3x3 same
  }
  concat {
  | conv 4
  |
  }
}
network N { input 3x8x8, first: two, conv 4 }
"""


def part(text: str, wanted: str) -> PartOfNetwork:
    analysis = analysed(text)
    return PartOfNetwork(analysis, select(analysis.network, wanted), wanted)


def names(text: str, wanted: str) -> list[str]:
    return [node.name for node in select(analysed(text).network, wanted).layers]


def test_a_path_of_a_part() -> None:
    """All totals, added up by hand."""
    found = part(INCEPTION, "mixed1.path2")
    assert found.name == "mixed1.path2"
    assert [node.name for node in found.selection.layers] == [
        "mixed1.unit2.conv", "mixed1.unit2.bn", "mixed1.unit2.relu",
        "mixed1.unit3.conv", "mixed1.unit3.bn", "mixed1.unit3.relu",
    ]  # fmt: skip
    totals = part_totals(found)
    weights = 32 * 12 + 12 * 24 * 9
    side = 64
    assert totals.params == weights + 2 * (12 + 24)
    assert totals.macs == weights * side * side
    assert totals.buffers == 2 * (12 + 24) + 2
    assert totals.weight_layers == (2, 2)
    assert totals.layers == 6
    assert totals.outputs == 4 * side * side * 2 * (12 + 24)  # of conv and bn; relu is in place
    assert totals.weights == 4 * (totals.params + 2 * (12 + 24)) + 2 * 8  # counters: 8 bytes


@pytest.mark.parametrize("wanted", ["mixed1.concat.path1", "mixed1.path1"])
def test_the_form_is_named_by_its_part_or_by_the_layer_that_merges_it(wanted: str) -> None:
    assert names(INCEPTION, wanted)[0] == "mixed1.unit1.conv"


def test_the_same_path_of_all_forms() -> None:
    assert {name.split(".")[0] for name in names(INCEPTION, "inception.path3")} == {
        "mixed1",
        "mixed2",
    }


def test_of_the_network_itself() -> None:
    text = "network N { input 3x8x8, inception {\n| conv 4\n| relu, conv 2 3x3 same\n} }"
    assert names(text, "path2") == names(text, "inception.path2") == ["relu", "conv2"]
    selection = select(analysed(text).network, "path2")
    assert isinstance(selection.part, Scope)
    assert part_name(selection.part) == "path2"


@pytest.mark.parametrize(
    ("wanted", "message", "help"),
    [
        ("first.path1", "2 layers of `first` merge paths",
         "name the layer: `first.add.path1` or `first.concat.path1`"),
        ("first.concat.path2",
         "path 2 of `first.concat` has no layers: it passes its input on", ""),
        ("first.add.path3", "`first.add` has 2 paths, and no path 3", ""),
        ("first.conv1.path1", "`first.conv1` is not divided into paths", ""),
        ("frist.path1", "N has no layer `frist`", "did you mean `first`?"),
    ],
)  # fmt: skip
def test_a_path_that_is_not_there(wanted: str, message: str, help: str) -> None:
    with pytest.raises(NotFound) as caught:
        names(TWICE, wanted)
    assert (caught.value.message, caught.value.help) == (message, help)


def test_a_network_without_paths() -> None:
    with pytest.raises(NotFound, match="Small is not divided into paths"):
        names(RESIDUAL, "path1")


def test_a_name_of_the_spec_comes_first() -> None:
    text = "network N { input 3x8x8, path1: conv 4, add {\n| conv 4\n| conv 4 3x3 same\n} }"
    assert names(text, "path1") == ["path1"]


def test_rows_are_those_of_the_whole_report() -> None:
    found = part(RESIDUAL, "layer2")
    assert [row.name for row in part_rows(found, 2)] == ["layer2.0", "layer2.1..3"]
    assert part_rows(part(RESIDUAL, "layer2.1"), 2)[0].name == "layer2.1.conv1"


@pytest.fixture
def inception(tmp_path: Path) -> str:
    path = tmp_path / "inception.cnn"
    path.write_text(INCEPTION)
    return str(path)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> Result:
    return run_command(capfd, "report", *arguments)


def test_formats(inception: str, capfd: pytest.CaptureFixture[str]) -> None:
    args = inception, "--part", "mixed1.path2"
    text = run(capfd, *args).out
    assert text.startswith("mixed1.path2 of Mixed")
    assert "mixed1.unit3.relu" in text
    assert "mixed1.unit4" not in text
    found = json.loads(run(capfd, *args, "--format", "json", "--batch", "2").out)
    totals = part_totals(part(INCEPTION, "mixed1.path2"))
    assert found["part"] == "mixed1.path2"
    assert found["totals"]["macs"] == totals.macs
    assert found["totals"]["memory"]["outputs"] == 2 * totals.outputs
    assert found["layers"][0]["name"] == "mixed1.unit2.conv"
    assert run(capfd, *args, "--format", "csv").out.count("\n") == 1 + 6
    assert "| weight layers | 2 |" in run(capfd, *args, "--format", "markdown").out


def test_wrong_use(inception: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = run(capfd, inception, "mixed1.path2")
    assert found.code == 1
    assert "for this part of Mixed, write `--part mixed1.path2`" in found.err
    found = run(capfd, inception, "--part", "mixd1")
    assert (found.code, found.err) == (
        2,
        "cnn: Mixed has no layer `mixd1`; did you mean `mixed1`?\n",
    )
    assert run(capfd, inception, "--part", "mixed1", "--fit", "1GB").code == 2


def test_an_auxiliary_head(inception: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "only in training" in run(capfd, inception, "--part", "aux").out
