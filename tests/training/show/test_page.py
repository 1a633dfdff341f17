"""The page of `cnn show`: its numbers are those of torch, and it loads nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.page.page_html import page_html
from dotcnn.training.show.subject import Subject

from .pages import HOSTILE, LARGE, LAYERS, images_of, page_of, subject_of

NODE = shutil.which("node")


def numbers(html: str, folder: Path) -> dict[str, Any]:
    if NODE is None:
        pytest.skip("there is no node")
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    reader = Path(__file__).with_name("page_numbers.js")
    run = subprocess.run(
        [NODE, str(reader), str(page)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def check(subject: Subject, outputs: dict[int, Any], found: list[dict[str, Any]]) -> set[str]:
    """Compares numbers with torch's; returns the layers whose arithmetic was checked."""
    worked = set()
    for each in found:
        node = subject.network.nodes[each["layer"]]
        image, channel, y, x = each["at"]
        output = outputs[node.index]
        own = output[image].reshape(node.shape[0], -1)
        width = node.shape[2] if len(node.shape) == 3 else 1
        actual = float(own[channel, y * width + x])
        row = output[image].reshape(-1) if own.shape[1] == 1 else own[channel]
        reach = max(float(row.abs().max()), 1e-6)
        assert float(each["value"]) == pytest.approx(actual, abs=4e-5 * reach), (node, each)
        if each["way"] and each["sum"] != "null":
            # Beside rounding: sums of many products of 16-bit numbers.
            assert float(each["sum"]) == pytest.approx(actual, abs=5e-4 * reach), (node, each)
            worked.add(node.op.word)
    return worked


@pytest.mark.slow
def test_numbers_and_arithmetic_are_those_of_torch(tmp_path: Path) -> None:
    subject, outputs, html = page_of(LAYERS, 2)
    page = numbers(html, tmp_path)
    worked = check(subject, outputs, page["found"])
    every = {node.op.word for node in subject.network.nodes if node.inputs}
    assert worked == every
    assert not any(each["rest"] for each in page["found"])
    # Small networks are there to the last bit.
    for each in page["found"]:
        image, channel, y, x = each["at"]
        node, output = subject.network.nodes[each["layer"]], outputs[each["layer"]]
        if output.ndim == 4 and output.shape[-1] > 1 and node.op.kind in ("conv", "filter"):
            assert float(each["value"]) == float(output[image, channel, y, x])


@pytest.mark.slow
def test_a_page_of_limited_size_says_what_it_leaves_out(tmp_path: Path) -> None:
    subject, outputs, html = page_of(LARGE, limit=380_000)
    assert len(html.encode()) <= 380_000
    page = numbers(html, tmp_path)
    worked = check(subject, outputs, page["found"])
    assert {"conv", "bn", "fc", "pool max"} <= worked
    rests = [each for each in page["found"] if each["rest"]]
    assert rests
    partly = [layer for layer in page["index"]["layers"] if layer["channels"]]
    assert partly
    for layer in partly:
        assert 0 < len(layer["channels"]) < layer["shape"][0]
    # Layers that pass channels on show the same, so that one can be followed.
    layers = {layer["name"]: layer["channels"] for layer in page["index"]["layers"]}
    assert layers["conv1"] == layers["bn1"] == layers["relu1"]


def test_in_training_a_batch_is_normalized_by_itself(tmp_path: Path) -> None:
    body = "conv 3 3x3, bn, dropout 0.5, relu, pool stochastic 2x2, flatten, bn"
    spec = f"network n {{ input 1x7x7, {body} }}\n"
    subject, outputs, html = page_of(spec, 3, training=True)
    page = numbers(html, tmp_path)
    worked = check(subject, outputs, page["found"])
    assert worked == {node.op.word for node in subject.network.nodes if node.inputs}


def test_of_maps_that_are_too_large_a_smaller_one_is_there(tmp_path: Path) -> None:
    spec = "network n { input 1x300x200, conv 8 3x3 same, relu, pool max 100x100, flatten }\n"
    _, _, html = page_of(spec, limit=260_000)
    assert len(html.encode()) <= 260_000
    layers = {layer["name"]: layer for layer in numbers(html, tmp_path)["index"]["layers"]}
    for name in ("conv", "relu"):
        assert layers[name]["values"] is None
        assert len(layers[name]["reduced"]["channels"]) == 4
        height, width = layers[name]["reduced"]["size"]
        assert 16 <= height <= 256
        assert width == round(height * 200 / 300)
    assert layers["pool"]["values"] is not None
    assert layers["pool"]["reduced"] is None


def test_large_weights_of_a_gate_leave_room_for_maps(tmp_path: Path) -> None:
    """Squeeze and excitation has convolutions that are fully connected layers."""
    gate = "pool avg global, conv 128 1x1, relu, conv 256 1x1, sigmoid"
    spec = f"network n {{ input 1x24x24, conv 256 3x3, bn, gate {{ {gate} }} }}\n"
    subject, outputs, html = page_of(spec, limit=200_000)
    assert len(html.encode()) <= 200_000
    page = numbers(html, tmp_path)
    assert {"conv", "bn", "mul", "sigmoid"} <= check(subject, outputs, page["found"])
    assert all(layer["values"] is not None for layer in page["index"]["layers"])


def test_of_a_chain_that_does_not_fit_its_first_layers_are_there(tmp_path: Path) -> None:
    chain = ", ".join(["filter sobel same"] * 6)
    _, _, html = page_of(f"network n {{ input 1x96x96, {chain} }}\n", limit=230_000)
    layers = numbers(html, tmp_path)["index"]["layers"]
    there = [layer["values"] is not None for layer in layers]
    assert there[:2] == [True] * 2
    assert not there[-1]
    assert layers[-1]["reduced"]


def test_receptive_fields(tmp_path: Path) -> None:
    spec = "network n { input 1x9x9, conv 2 3x3 stride=2, conv 2 3x3, flatten }\n"
    _, _, html = page_of(spec)
    found = numbers(html, tmp_path)["found"]
    fields = {(each["layer"], *each["at"][1:]): each["field"] for each in found}
    assert fields[1, 0, 1, 0] == [2, 0, 4, 2]
    assert fields[2, 0, 1, 1] == [2, 2, 8, 8]
    assert fields[3, 7, 0, 0] == [2, 2, 8, 8]


def test_names_do_not_become_html() -> None:
    subject = subject_of("network n { input 1x8x8, conv 2 3x3 }\n")
    (image,) = images_of(subject)
    image = InputImage(HOSTILE, image.input, image.pixels, HOSTILE)
    with torch.inference_mode():
        outputs = subject.layers(image.input[None])
    html = page_html(subject, [image], outputs)
    assert "alert(" not in html
    assert html.count("<script>") == 1


def test_the_page_loads_nothing() -> None:
    _, _, html = page_of("network n { input 1x8x8, conv 2 3x3 }\n")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href|action)\s*=\s*["\']?(?:https?:)?//', html) == []
    urls = set(re.findall(r"https?://[^\s\"'<)]+", html))
    assert urls <= {"http://www.w3.org/2000/svg"}
