"""The options --why, --filters, --dream and --patches of `cnn show`, and their wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import dotcnn
from commands import run

SPEC = "network Net {\n  input 3x12x12\n  conv 4 3x3, relu, flatten, fc 3\n}\n"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, its weights, and a folder with a photograph."""
    folder = tmp_path_factory.mktemp("net")
    (folder / "net.cnn").write_text(SPEC)
    save_file(dotcnn.load(dotcnn.compile(SPEC)).state_dict(), folder / "net.safetensors")
    (folder / "photos").mkdir()
    pixels = numpy.arange(40 * 60 * 3, dtype=numpy.uint32).reshape(40, 60, 3) * 7 % 256
    Image.fromarray(pixels.astype(numpy.uint8)).save(folder / "photos" / "photo.png")
    numpy.savez(folder / "images.npz", x=pixels[None, :, :40])
    return folder


def command(net: Path, *words: str) -> tuple[str, ...]:
    return ("show", str(net / "net.cnn"), *words, "--weights", str(net / "net.safetensors"))


@pytest.mark.parametrize("ending", ["png", "html"])
def test_text_and_pictures(
    net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str
) -> None:
    photo, out = str(net / "photos" / "photo.png"), str(tmp_path / f"out.{ending}")
    for words, said in (
        ((photo, "--why", "2"), "class 2: "),
        (("--why", photo), "speaks against"),  # the image is not the class
        (("--filters", "conv"), ""),
        (("--dream", "fc:1", "--seed", "99999999999999999999"), "seed 9999"),
        (("--patches", "conv:0", "--data", str(net / "photos")), "photo.png"),
        (("--patches", "conv:0", "--data", photo), "photo.png"),
        (("--patches", "conv:0", "--data", str(net / "images.npz")), "images.npz"),
    ):
        Path(out).unlink(missing_ok=True)
        result = run(capfd, *command(net, *words, "-o", out))
        assert result.code == 0, result.err
        assert said in result.out
        assert Path(out).stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--filters", "conf"), "did you mean `conv`"),
        (("--filters", "relu"), "the closest layer that has some is `conv`"),
        (("--dream", "conv:4"), "it has 4, numbered from 0 to 3"),
        (("--patches", "conv"), "add `--data DIR`"),
        (("--patches", "conv", "--data", "nowhere"), "nowhere"),
        (("--why",), "Name an image"),
        (("photo.png", "--filters", "conv"), "take no image"),
        (("--filters", "conv", "-o", "out.txt"), "ends in .png"),
    ],
)
def test_wrong_use_is_answered_with_a_way_out(
    net: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    result = run(capfd, *command(net, *words))
    assert result.code != 0
    assert message in " ".join(result.err.split())


def test_figures_for_programs(net: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = str(net / "photos" / "photo.png")

    def data(*words: str) -> Any:
        result = run(capfd, *command(net, *words, "--format", "json"))
        assert result.code == 0, result.err
        return json.loads(result.out)

    ((why,),) = (each["classes"] for each in data("--why", "1", photo)["images"])
    assert why["class"] == 1
    assert [each["method"] for each in why["methods"]] == [
        "Grad-CAM", "occlusion", "integrated gradients",
    ]  # fmt: skip
    weight = load_file(net / "net.safetensors")["conv.weight"]
    (filters,) = data("--filters", "conv:2")["sets"]
    assert torch.equal(torch.tensor(filters["filters"][0]["weights"]), weight[2])
    (dreamed,) = data("--dream", "conv:1")["channels"]
    assert dreamed["greatest"] > dreamed["noise"]
    (searched,) = data("--patches", "conv:1", "--data", str(net / "photos"))["channels"]
    (patch,) = searched["patches"]
    (values,) = data(photo, "conv")["values"]
    row, column = patch["position"]
    assert patch["value"] == pytest.approx(values[1][row][column], rel=1e-5)
    assert patch["rows"] == [row, row + 2]


@pytest.mark.parametrize("option", ["--filters", "--dream", "--patches"])
def test_without_weights(net: Path, capfd: pytest.CaptureFixture[str], option: str) -> None:
    result = run(capfd, "show", str(net / "net.cnn"), option, "conv")
    assert result.code == 1
    assert f"{option} needs a trained network" in result.err
    assert "--weights FILE" in result.err
