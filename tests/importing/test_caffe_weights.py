"""Weights of Caffe, written here as its protocol buffers, in the old layout and the new one: the
outputs are those of the same computation in torch, and files that do not fit are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.importing.imported_weights import module_of

Array = Any
Blobs = Mapping[str, Sequence[Array]]


def prototxt(*layers: str) -> str:
    head = 'input: "data" input_dim: 1 input_dim: 4 input_dim: 6 input_dim: 6\n'
    text, bottom = head, "data"
    for layer in layers:
        name, kind, *rest = layer.split(" ", 2)
        text += f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}"'
        text += f" {rest[0] if rest else ''} }}\n"
        bottom = name
    return text


LAYERS = prototxt(
    "conv Convolution convolution_param { num_output: 6 kernel_size: 3 group: 2 pad: 1 }",
    "norm BatchNorm batch_norm_param { eps: 0.01 }",
    "scale Scale scale_param { bias_term: true }",
    "slope PReLU",
    "up Deconvolution convolution_param { num_output: 3 kernel_size: 2 stride: 2 }",
    "fc InnerProduct inner_product_param { num_output: 5 }",
)


def arrays() -> dict[str, list[Array]]:
    random = numpy.random.default_rng(0)

    def some(*shape: int) -> Array:
        return random.uniform(0.2, 1, shape).astype("<f4")

    return {
        "conv": [some(6, 2, 3, 3), some(6)],
        "norm": [some(6), some(6), numpy.array([4], "<f4")],
        "scale": [some(6), some(6)],
        "slope": [some(6)],
        "up": [some(6, 3, 2, 2), some(3)],
        "fc": [some(5, 3 * 12 * 12), some(5)],
    }


def reference(x: torch.Tensor, blobs: Blobs) -> torch.Tensor:
    w = {name: [torch.tensor(each) for each in own] for name, own in blobs.items()}
    x = F.conv2d(x, *w["conv"], padding=1, groups=2)
    mean, var, factor = w["norm"]
    x = F.batch_norm(x, mean / factor, var / factor, *w["scale"], eps=0.01)
    x = F.conv_transpose2d(F.prelu(x, w["slope"][0]), *w["up"], stride=2)
    return F.linear(x.flatten(1), *w["fc"])


# ---- protocol buffers ---------------------------------------------------------------------------


def varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def packed(blobs: Blobs, *, old: bool = False) -> bytes:
    data = field(1, b"small")
    for name, own in blobs.items():
        layer = field(4 if old else 1, name.encode())
        for array in own:
            if old:
                four = (*[1] * (4 - array.ndim), *array.shape)
                shape = b"".join(field(at, side) for at, side in enumerate(four, 1))
            else:
                shape = field(7, field(1, b"".join(map(varint, array.shape))))
            layer += field(6 if old else 7, shape + field(5, array.tobytes()))
        data += field(2 if old else 100, layer)
    return data


# -------------------------------------------------------------------------------------------------


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(LAYERS)
    return path


def imported(net: Path, data: bytes) -> Imported:
    file = net.with_suffix(".caffemodel")
    file.write_bytes(data)
    format = format_of(str(net))
    assert format is not None
    return import_network(Given(str(net), weights=str(file)), format)


def problem(net: Path, data: bytes) -> str:
    with pytest.raises(SpecError) as caught:
        imported(net, data)
    one = caught.value.diagnostics[0]
    return f"{one.span.line if one.span else 0}: {one.message}"


@pytest.mark.parametrize("old", [False, True])
def test_outputs_are_those_of_the_same_computation(net: Path, old: bool) -> None:
    blobs = arrays()
    made = imported(net, packed(blobs, old=old))
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own, other = module_of(made).eval()(x), reference(x, blobs)
    assert float((own - other).abs().max()) < 1e-5 * float(other.abs().max())
    assert "BGR" in made.text


def test_a_factor_of_nothing_is_no_statistics(net: Path) -> None:
    """As of a network that was never trained."""
    blobs = {
        **arrays(),
        "norm": [numpy.ones(6, "<f4"), numpy.ones(6, "<f4"), numpy.zeros(1, "<f4")],
    }
    made = imported(net, packed(blobs))
    norm = next(each for each in made.graph.layers if each.op.word == "bn")
    assert not norm.weights["running_mean"].any()


def test_weights_of_another_network(net: Path) -> None:
    blobs = arrays()
    wrong = {**blobs, "fc": [blobs["fc"][0].T, blobs["fc"][1]]}
    assert "`weight` of `fc` has the shape 432x5 in net.caffemodel" in problem(net, packed(wrong))
    less = {name: own for name, own in blobs.items() if name != "scale"}
    message = problem(net, packed(less))
    assert message.endswith("net.caffemodel has no `weight` of `scale`")
    more = {**blobs, "fc8": [blobs["fc"][1]]}
    assert "weights of `fc8`, for which there are no layers" in imported(net, packed(more)).text
    blobs["conv"][1][0] = numpy.nan
    assert "`bias` of `conv` has numbers in net.caffemodel that are infinite or NaN" in problem(
        net, packed(blobs)
    )


def test_damaged_files(net: Path) -> None:
    data = packed(arrays())
    assert "it is not a network of Caffe" in problem(net, data[:-3])
    assert "it is empty" in problem(net, b"")
    assert "it is not a network of Caffe" in problem(net, b"\xff" * 100)
    shape = field(7, field(1, varint(10**9)))
    huge = field(100, field(1, b"conv") + field(7, shape + field(5, bytes(8))))
    assert "is 1000000000 and has 2 numbers" in problem(net, huge)
    half = field(100, field(1, b"conv") + field(7, field(5, bytes(7))))
    assert "ends within a number" in problem(net, half)
