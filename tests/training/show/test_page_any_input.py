"""The page of `cnn show` for series, volumes and several inputs: its numbers are those of torch."""

from __future__ import annotations

from math import prod
from pathlib import Path

import pytest

from dotcnn.training.show.input_images import noise
from dotcnn.training.show.page.page_html import page_html
from dotcnn.training.show.run import run_network

from .pages import subject_of
from .test_page import numbers

SPECS = {
    "series": (
        "input 2x20, conv 3 5 same stride=2, bn, relu, pool max 2, deconv 3 2 stride=2\n"
        "pool avg global, flatten, fc 2"
    ),
    "volume": (
        "input 1x4x6x6, conv 2 3x3x3 same, relu, pool avg 2, depthwise 3 same\n"
        "pool max global, flatten, fc 2"
    ),
    "several": (
        "input wave 1x16, input image 1x6x6\nfrom wave, conv 2 3 same, pool avg global\n"
        "a: flatten\nfrom image, conv 2 3x3 same, pool max global\nb: flatten\n"
        "both: concat a b\noutput kind: fc 3\nfrom both\noutput place: fc 2"
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_numbers_and_arithmetic_are_those_of_torch(name: str, tmp_path: Path) -> None:
    subject = subject_of(f"network Net {{\n{SPECS[name]}\n}}\n")
    shown = run_network(subject, [noise(subject), noise(subject, 1)])
    page = numbers(page_html(subject, shown.images, shown.outputs), tmp_path)
    worked = set()
    for each in page["found"]:
        node = subject.network.nodes[each["layer"]]
        image, channel, y, x = each["at"]
        output = shown.outputs[node.index][image].reshape(node.shape[0], -1)
        wide = node.shape[-1] if len(node.shape) > 1 and prod(node.shape[1:]) > 1 else 1
        actual = float(output[channel, y * wide + x])
        assert float(each["value"]) == pytest.approx(actual, abs=1e-5)
        if each["way"]:
            assert float(each["sum"]) == pytest.approx(actual, rel=1e-4, abs=1e-4)
            worked.add(node.index)
    assert worked == {node.index for node in subject.network.nodes if node.inputs}
    assert {str(image["name"]) for image in page["index"]["images"]} == {"noise"}
