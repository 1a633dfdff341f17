"""Weights of Keras, in all of its layouts: the outputs are those of a reference that computes with
channels last, and files that do not fit are refused with the name of the layer.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.importing.imported_weights import module_of
from dotcnn.training.untrusted import hdf5_file
from importing.test_keras import conv, layer, sequential
from support import shared

h5py = pytest.importorskip("h5py")

Array = Any
Weights = Mapping[str, Mapping[str, Array]]
LAYERS = (
    conv(6, 3, padding="same", strides=2, activation="relu"),
    layer("SeparableConv2D", filters=5, kernel_size=3, depth_multiplier=2),
    layer("BatchNormalization", epsilon=0.01, scale=False),
    layer("Flatten"),
    layer("Dense", units=4),
)


def text() -> str:
    return sequential(*json.loads(json.dumps(LAYERS)), shape=(9, 8, 3), keras_version="2.9.0")


def weights() -> dict[str, dict[str, Array]]:
    random = numpy.random.default_rng(0)

    def some(*shape: int) -> Array:
        return (random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)).astype("float32")

    return {
        "conv2d": {"kernel": some(3, 3, 3, 6), "bias": some(6)},
        "separableconv2d": {
            "depthwise_kernel": some(3, 3, 6, 2),
            "pointwise_kernel": some(1, 1, 12, 5),
            "bias": some(5),
        },
        "batchnormalization": {
            "beta": some(5), "moving_mean": some(5), "moving_variance": abs(some(5)),
        },
        "flatten": {},
        "dense": {"kernel": some(3 * 2 * 5, 4), "bias": some(4)},
    }  # fmt: skip


def convolved(x: Array, kernel: Array, stride: int) -> Array:
    """Height x width x channels."""
    side = kernel.shape[0]
    rows, columns = ((n - side) // stride + 1 for n in x.shape[:2])
    return numpy.array(
        [
            [
                numpy.tensordot(
                    x[r * stride : r * stride + side, c * stride : c * stride + side], kernel, 3
                )
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def reference(x: Array, w: Weights) -> Array:
    padded = numpy.pad(x, ((1, 1), (0, 1), (0, 0)))  # 9 rows need two more, 8 columns one
    x = numpy.maximum(convolved(padded, w["conv2d"]["kernel"], 2) + w["conv2d"]["bias"], 0)
    each = w["separableconv2d"]
    deep = [
        convolved(x[..., c : c + 1], each["depthwise_kernel"][:, :, c : c + 1], 1) for c in range(6)
    ]
    x = numpy.concatenate(deep, -1) @ each["pointwise_kernel"][0, 0] + each["bias"]
    norm = w["batchnormalization"]
    x = (x - norm["moving_mean"]) / numpy.sqrt(norm["moving_variance"] + 0.01) + norm["beta"]
    return x.ravel() @ w["dense"]["kernel"] + w["dense"]["bias"]


def write_layered(file: Any, w: Weights, model: str = "") -> None:
    """As Keras 1 and 2 do."""
    root = file.create_group("model_weights") if model else file
    if model:
        file.attrs["model_config"] = model
    root.attrs["layer_names"] = [name.encode() for name in w]
    for name, own in w.items():
        group = root.create_group(name)
        group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in own]
        for key, value in own.items():
            group[f"{name}/{key}:0"] = value


def write_numbered(file: Any, w: Weights) -> None:
    """As Keras 3 does."""
    words = {"separableconv2d": "separable_conv2d", "batchnormalization": "batch_normalization"}
    for name, own in w.items():
        for number, value in enumerate(own.values()):
            file[f"layers/{words.get(name, name)}/vars/{number}"] = value


def imported(name: Path, file: Path | str = "") -> Imported:
    format = format_of(str(name))
    assert format is not None
    return import_network(Given(str(name), weights=str(file)), format)


def problems(name: Path, file: Path | str = "") -> str:
    with pytest.raises(SpecError) as caught:
        imported(name, file)
    return "\n".join(each.message for each in caught.value.diagnostics)


def output(imported: Imported, x: Array) -> Array:
    """Of a batch of one, channels last."""
    module = module_of(imported).eval()
    with torch.no_grad():
        return module(torch.tensor(numpy.moveaxis(x, -1, 0)[None], dtype=torch.float32))[0].numpy()


def same(imported: Imported, w: Weights) -> bool:
    x = numpy.random.default_rng(1).normal(size=(9, 8, 3))
    expected = reference(x, w)
    return bool(abs(output(imported, x) - expected).max() < 1e-5 * abs(expected).max())


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the process that reads files first: it takes a while to start."""
    monkeypatch.setattr(hdf5_file, "_check", lambda stream: None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(text())
    return path


def test_weights_beside_the_structure(model: Path) -> None:
    w = weights()
    for write in (write_layered, write_numbered):
        with h5py.File(model.with_suffix(".h5"), "w") as file:
            write(file, w)
        made = imported(model, model.with_suffix(".h5"))
        assert same(made, w)
        assert "was not run to compare outputs" in made.text.replace("\n# ", " ")


def test_structure_and_weights_in_one_file(model: Path) -> None:
    w, whole, archive = weights(), model.with_suffix(".h5"), model.with_suffix(".keras")
    with h5py.File(whole, "w") as file:
        write_layered(file, w, text())
    assert same(imported(whole), w)
    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        write_numbered(file, w)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("config.json", text())
        packed.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        packed.writestr("model.weights.h5", inner.getvalue())
    assert same(imported(archive), w)


def test_filters_of_theano_are_turned(model: Path) -> None:
    w = weights()
    turned = {**w, "conv2d": {**w["conv2d"], "kernel": w["conv2d"]["kernel"][::-1, ::-1]}}
    with h5py.File(model.with_suffix(".h5"), "w") as file:
        write_layered(file, turned)
        file.attrs["backend"] = "theano"
    made = imported(model, model.with_suffix(".h5"))
    assert same(made, w)
    assert "turned by 180 degrees" in made.text.replace("\n# ", " ")


def test_other_names_in_the_same_order(model: Path) -> None:
    """As Keras itself reads them."""
    w = weights()
    with h5py.File(model.with_suffix(".h5"), "w") as file:
        write_layered(file, {f"{name}_7": own for name, own in w.items()})
    assert same(imported(model, model.with_suffix(".h5")), w)


def test_weights_of_another_network(model: Path) -> None:
    file = model.with_suffix(".h5")

    def refusal(w: Weights, write: Any = write_layered) -> str:
        with h5py.File(file, "w") as opened:
            write(opened, w)
        return problems(model, file)

    w = weights()
    wrong = {**w, "dense": {**w["dense"], "kernel": w["dense"]["kernel"].T}}
    assert "`kernel` of `dense` has the shape 4x30" in refusal(wrong)
    assert "30x4 is needed" in refusal(wrong, write_numbered)
    less = {name: own for name, own in w.items() if name != "conv2d"}
    assert "has no `kernel` of `conv2d`" in refusal(less)
    more = {**w, "dense_2": {"kernel": w["dense"]["kernel"]}}
    assert "weights of `dense_2`" in refusal(more)
    assert "weights of `layers/dense_2`" in refusal(more, write_numbered)
    w["dense"]["bias"][2] = numpy.nan
    assert "`bias` of `dense` has numbers in small.h5 that are infinite or NaN" in refusal(w)


def test_hostile_files(model: Path, tmp_path: Path) -> None:
    file = model.with_suffix(".h5")
    w = weights()

    def refusal(change: Any) -> str:
        with h5py.File(file, "w") as opened:
            write_layered(opened, w)
            del opened["dense/dense/kernel:0"]
            change(opened["dense/dense"])
        return problems(model, file)

    def linked(group: Any) -> None:
        group["kernel:0"] = h5py.ExternalLink("/etc/passwd", "/")

    def huge(group: Any) -> None:
        group.create_dataset("kernel:0", (10**6, 10**6), "f4", chunks=(10, 10))

    def virtual(group: Any) -> None:
        layout = h5py.VirtualLayout((30, 4), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (30, 4))
        group.create_virtual_dataset("kernel:0", layout)

    def outside(group: Any) -> None:
        group.create_dataset("kernel:0", (30, 4), "f4", external=[("raw.bin", 0, 480)])

    def words(group: Any) -> None:
        group["kernel:0"] = "text"

    def itself(group: Any) -> None:
        group["kernel:0"] = group

    assert "has a link to elsewhere" in refusal(linked)
    assert "would have 4,000,000,000,000" in refusal(huge)
    assert "in other files" in refusal(virtual)
    assert "in other files" in refusal(outside)
    assert "not made of numbers" in refusal(words)
    assert "has no `kernel`" in refusal(itself)
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "pointer of Git LFS" in problems(model, file)
    file.write_bytes(b"no")
    assert "not an HDF5 file" in problems(model, file)
    with h5py.File(file, "w") as opened:
        write_layered(opened, w)
    assert "small.h5 has weights only" in problems(file)
    file.write_bytes(file.read_bytes()[:5000])
    assert "damaged" in problems(model, file)


def test_files_on_which_the_library_crashes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read by a process of its own first."""
    monkeypatch.undo()
    w, file = weights(), model.with_suffix(".h5")
    with h5py.File(file, "w") as opened:
        write_layered(opened, w)
    assert same(imported(model, file), w)
    monkeypatch.setattr(hdf5_file.sys, "executable", shutil.which("false"))
    assert "the HDF5 library fails on it" in problems(model, file)


@pytest.mark.parametrize("name", ["conv2d", "lenet", "toyresnet"])
def test_weights_of_others(name: str) -> None:
    folder = shared("corpora/keras")
    made = imported(folder / f"{name}.json", folder / f"{name}.h5")
    assert made.graph.has_weights
