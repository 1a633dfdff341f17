"""JSON as CLI.md lays it down, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import jsonschema
import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.data import CSV_COLUMNS, as_csv, as_json, as_markdown, report
from dotcnn.compiler.report.rows import rows
from networks import network

from .examples import ALL, INCEPTION, LENET, analysed

COUNT = {"type": "integer", "minimum": 0}
PAIR = {"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}
SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}


def exactly(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


LAYER = exactly(
    name={"type": "string"},
    op={"type": "string"},
    input={"type": "array", "items": SHAPE, "minItems": 1},
    output=SHAPE,
    params=COUNT,
    macs=COUNT,
    elementwise=COUNT,
    output_bytes=COUNT,
    receptive_field=PAIR,
    jump={"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    connections=COUNT,
    line={"type": "integer", "minimum": 1},
)
REPORT = exactly(
    network={"type": "string"},
    file={"type": "string"},
    input=SHAPE,
    batch={"type": "integer", "minimum": 1},
    totals=exactly(
        params=COUNT,
        trainable=COUNT,
        buffers=COUNT,
        macs=COUNT,
        flops=COUNT,
        elementwise=COUNT,
        activations=COUNT,
        memory=exactly(params=COUNT, outputs=COUNT, forward_peak=COUNT, training_peak=COUNT),
        receptive_field=PAIR,
        layers=COUNT,
        weight_layers=exactly(longest_path=COUNT, all=COUNT),
    ),
    layers={"type": "array", "items": LAYER, "minItems": 1},
)
AUX = exactly(
    name={"type": "string"},
    weight={"type": "number"},
    layers={"type": "array", "items": LAYER, "minItems": 1},
)


@pytest.mark.parametrize("name", ALL)
def test_schema(name: str) -> None:
    found = json.loads(as_json([analysed(ALL[name])]))
    for head in found.pop("aux", []):
        jsonschema.validate(head, AUX)
    jsonschema.validate(found, REPORT)
    assert len(found["layers"]) == found["totals"]["layers"]


@pytest.mark.parametrize("name", ALL)
def test_totals_are_those_of_the_layers(name: str) -> None:
    found = report(analysed(ALL[name]))
    for figure in ("params", "macs", "elementwise"):
        assert found["totals"][figure] == sum(layer[figure] for layer in found["layers"])
    assert found["totals"]["flops"] == 2 * found["totals"]["macs"]
    outputs = sum(layer["output_bytes"] for layer in found["layers"])
    assert found["totals"]["memory"]["outputs"] == outputs


def test_an_auxiliary_head_stands_apart() -> None:
    found = report(analysed(INCEPTION))
    names = [layer["name"] for layer in found["layers"]]
    assert not any(name.startswith("aux") for name in names)
    assert [head["name"] for head in found["aux"]] == ["aux"]
    assert [layer["name"] for layer in found["aux"][0]["layers"]] == [
        "aux.pool",
        "aux.flatten",
        "aux.fc",
    ]


def test_integers_are_exact_at_any_magnitude() -> None:
    wide, inputs = 2**60 + 1, 2**55 + 1
    text = as_json([analysed(f"network N {{ input {inputs}, fc {wide} bias=off }}")])
    found = json.loads(text)
    assert found["totals"]["macs"] == wide * inputs
    assert found["layers"][0]["connections"] == wide * inputs
    assert type(found["totals"]["macs"]) is int


def test_steps_between_pixels_are_fractions() -> None:
    analysis = analysed("network N { input 1x8x8, upsample 2, conv 1 3x3 stride=4 same }")
    first, second = report(analysis)["layers"]
    assert first["jump"] == [0.5, 0.5]
    assert second["jump"] == [2, 2]
    assert type(second["jump"][0]) is int


def test_batch_is_for_memory() -> None:
    analysis = analysed(LENET)
    one, eight = report(analysis, 1), report(analysis, 8)
    assert eight["batch"] == 8
    assert eight["totals"]["memory"]["forward_peak"] > one["totals"]["memory"]["forward_peak"]
    assert eight["totals"]["macs"] == one["totals"]["macs"]
    assert eight["layers"] == one["layers"]


def test_several_networks_are_a_list() -> None:
    found = json.loads(as_json([analysed(LENET), analysed(INCEPTION)]))
    assert [each["network"] for each in found] == ["LeNet5", "Mixed"]


@pytest.mark.parametrize("name", ALL)
def test_csv_says_what_json_says(name: str) -> None:
    analysis = analysed(ALL[name])
    lines = list(csv.DictReader(io.StringIO(as_csv([analysis]))))
    assert set(lines[0]) == set(CSV_COLUMNS)
    main = [line for line in lines if line["aux"] == "0"]
    for line, layer in zip(main, report(analysis)["layers"], strict=True):
        assert line["name"] == layer["name"]
        assert line["op"] == layer["op"]
        assert [list(map(int, s.split("x"))) for s in line["input"].split()] == layer["input"]
        assert list(map(int, line["output"].split("x"))) == layer["output"]
        for figure in ("params", "macs", "elementwise", "connections", "line"):
            assert int(line[figure]) == layer[figure]
        seen = [line["receptive_field_height"], line["receptive_field_width"]]
        assert list(map(int, seen)) == layer["receptive_field"]
        assert [float(line["jump_height"]), float(line["jump_width"])] == layer["jump"]


@pytest.mark.parametrize("name", ALL)
def test_markdown_table(name: str) -> None:
    """Of as many cells in each line as the header has, and with every layer."""
    analysis = analysed(ALL[name])
    text = as_markdown([analysis])
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
    names = [line.split("|")[1].strip(" `") for line in tables[0][2:]]
    assert names == [row.name for row in rows(analysis) if not row.aux]


def test_markdown_keeps_hostile_text_in_its_cell() -> None:
    text = """
block b(s) { conv 4, conv 8 }
network N { input 3x8x8, b "x | y` <b> \\u0007", conv 2 }
"""
    markdown = as_markdown([analyse(network(text))], depth=1)
    line = next(line for line in markdown.splitlines() if line.startswith("| `b`"))
    assert line.replace("\\|", "").count("|") == 8
    assert line.count("`") % 2 == 0
