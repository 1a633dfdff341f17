"""Networks of Darknet: what each section becomes, and what is said about files that are wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy
import pytest
import torch

import dotcnn
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.inference.load import live
from importing.imported import body, imported
from support import shared

NET = "[net]\nheight=32\nwidth=32\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n"


def spec(text: str) -> str:
    return body(imported(text, "small.cfg").text)


def lines(text: str) -> list[str]:
    return [line.strip() for line in spec(text).splitlines()[2:-1]]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        imported(text, "small.cfg")
    return [
        f"{each.span.line if each.span else 0}: {each.message}" for each in caught.value.diagnostics
    ]


def test_layers() -> None:
    text = NET + CONV + "[maxpool]\nsize=2\nstride=2\n[avgpool]\n[connected]\noutput=10\n"
    assert lines(text + "activation=linear\n[softmax]\n") == [
        "conv 8 3x3 same, bn, leaky 0.1",
        "pool max 2x2",
        "pool avg global, flatten",
        "fc 10, softmax",
    ]


def test_pools_pad_as_darknet_does() -> None:
    """By size - 1 in all, of which half (rounded down) comes first."""
    odd = NET.replace("32", "31")
    assert lines(odd + "[maxpool]\nsize=2\nstride=2\n") == ["pool max 2x2 ceil"]
    assert lines(NET + "[maxpool]\nsize=2\nstride=1\n") == ["pool max 2x2 stride=1 same_upper"]
    assert lines(NET + "[maxpool]\nsize=3\nstride=2\n") == ["pool max 3x3 stride=2 same"]


def test_shortcuts_and_routes() -> None:
    text = NET + CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear\n[route]\nlayers=-1,0\n"
    inner = "residual { conv 8 3x3 same, bn, leaky 0.1 }"
    assert any(inner in line for line in lines(text))


def test_shortcuts_of_other_shapes_take_what_both_have() -> None:
    """Every second place, and zeros in the channels that are new."""
    wide = CONV.replace("filters=8", "filters=16").replace("size=3", "size=3\nstride=2")
    text = NET + CONV + wide + "[shortcut]\nfrom=-2\nactivation=leaky\n"
    assert "| pool max 1x1 stride=2, dense { scale_by 0 }" in spec(text)


def test_what_cannot_be_said_is_listed_with_its_place() -> None:
    text = NET + CONV + "[yolo]\nmask=0\n[yolo]\n" + CONV.replace("leaky", "stair")
    assert problems(text) == [
        "11: `[yolo]` cannot be said here, 2 times: boxes are decoded outside of the network",
        "18: `activation=stair` cannot be said here: the activation `stair` is not one of the"
        " language",
    ]
    part = imported(text, "small.cfg", partial=True)
    assert "conv 8 3x3 same, bn, leaky 0.1" in part.text
    assert "it ends before what cannot be said, [yolo] (2), activation=stair (1)" in part.text
    assert len(part.left_out) == 2


LAYERS = """
[reorg] stride=2 = reshape 2x64x64 | space_to_depth 2 | reshape 32x16x16
[reorg] stride=2 reverse=1 = depth_to_space 2
[reorg] extra=3 stride=1 = reshape 1x8192 | pad right=3 | flatten
[reorg3d] stride=2 = space_to_depth 2
[deconv] filters=4 size=4 stride=2 padding=1 activation=linear = deconv 4 4x4 stride=2 pad=1
[local_avgpool] size=3 stride=2 padding=0 = pool avg 3x3 stride=2 count_pad=off
[maxpool] size=2 stride_x=1 stride_y=2 stride=2 padding=0 = pool max 2x2 stride=2x1
[activation] activation=loggy = scale_by 0.5, tanh
[activation] activation=hardtan = scale_by 3, hardsigmoid | scale_by 2 | offset_by -1
[activation] activation=gelu = gelu approximate=tanh
[logistic] = sigmoid
[upsample] stride=2 = upsample 2
"""


@pytest.mark.parametrize("case", LAYERS.strip().splitlines())
def test_less_common_layers(case: str) -> None:
    given, _, expected = case.rpartition(" = ")
    text = NET.replace("channels=3", "channels=8") + given.replace(" ", "\n") + "\n"
    assert " | ".join(lines(text)) == expected


def outputs(text: str, maps: numpy.ndarray) -> numpy.ndarray:
    """Of a network without weights."""
    module = live(dotcnn.compile(spec(text)), "test").double().eval()
    found = module(torch.from_numpy(maps)[None])[0].numpy()
    assert isinstance(found, numpy.ndarray)
    return found


def test_the_order_of_reorg() -> None:
    """As Darknet computes it: its loop writes into a map with the sides of the input."""
    maps = numpy.random.default_rng(0).normal(size=(8, 4, 6))
    flat, wide = numpy.empty(maps.size), maps.reshape(2, 8, 12)
    for k, j, i in numpy.ndindex(8, 4, 6):
        offset = k // 2
        flat[i + 6 * (j + 4 * k)] = wide[k % 2, j * 2 + offset // 2, i * 2 + offset % 2]
    net = "[net]\nheight=4\nwidth=6\nchannels=8\n[reorg]\nstride=2\n"
    assert numpy.array_equal(outputs(net, maps), flat.reshape(32, 2, 3))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ramp", lambda x: x * (x > 0) + 0.1 * x),
        ("loggy", lambda x: 2 / (1 + numpy.exp(-x)) - 1),
        ("hardtan", lambda x: numpy.clip(x, -1, 1)),
        ("relie", lambda x: numpy.where(x > 0, x, 0.01 * x)),
        (
            "gelu",
            lambda x: 0.5 * x * (1 + numpy.tanh(0.7978845608 * x + 0.7978845608 * 0.044715 * x**3)),
        ),
    ],
)
def test_activations_of_its_own(
    name: str, function: Callable[[numpy.ndarray], numpy.ndarray]
) -> None:
    maps = numpy.random.default_rng(0).normal(size=(3, 32, 32)) * 3
    found = outputs(f"{NET}[activation]\nactivation={name}\n", maps)
    assert numpy.allclose(found, function(maps), rtol=0, atol=1e-8)


def conv(filters: int, size: int = 1, activation: str = "leaky", more: str = "") -> str:
    return (
        f"[convolutional]\nbatch_normalize=1\nfilters={filters}\nsize={size}\nstride=1\npad=1\n"
        f"{more}activation={activation}\n"
    )


def route(*layers: int, more: str = "") -> str:
    return f"[route]\nlayers = {', '.join(map(str, layers))}\n{more}"


def test_squeeze_and_excitation_of_efficientnet() -> None:
    """A pool, two convolutions and [scale_channels] are a gate."""
    squeeze = "[avgpool]\n" + "".join(
        f"[convolutional]\nfilters={n}\nsize=1\nstride=1\nactivation={name}\n"
        for n, name in ((4, "swish"), (16, "logistic"))
    )
    text = NET + conv(16, 3, "swish", "groups=1\n") + squeeze + "[scale_channels]\nfrom=-4\n"
    gate = "pool avg global conv 4 1x1, silu conv 16 1x1, sigmoid"
    assert " ".join(lines(text)) == f"conv 16 3x3 same, bn, silu gate {{ {gate} }}"


def test_spatial_attention_of_yolov4() -> None:
    gate = "[convolutional]\nfilters=8\nsize=1\nactivation=logistic\n"
    text = NET + conv(8, 3) + gate + "[sam]\nfrom=-2\n"
    assert lines(text) == ["conv 8 3x3 same, bn, leaky 0.1", "gate { conv 8 1x1, sigmoid }"]


def test_halves_of_channels_of_yolov4_tiny() -> None:
    text = NET + conv(8, 3) + route(-1, more="groups=2\ngroup_id=1\n") + conv(4, 3) + conv(4, 3)
    text += route(-1, -2) + conv(8) + route(-6, -1) + "[maxpool]\nsize=2\nstride=2\n"
    found = spec(text)
    assert "slice 4..8" in found
    assert found.count("conv 4 3x3 same") <= 2


def test_spatial_pyramid_pooling() -> None:
    """[route] counts the layers before it: the three pools and what they pool."""
    pools = [f"[maxpool]\nstride=1\nsize={size}\n{route(-2 - 2 * n)}"
             for n, size in enumerate((5, 9))]  # fmt: skip
    text = NET + conv(8) + "".join(pools) + "[maxpool]\nstride=1\nsize=13\n"
    found = spec(text + route(-1, -3, -5, -6))
    assert [each for each in (5, 9, 13) if f"pool max {each}x{each} stride=1 same" in found]
    assert dotcnn.compile(found).output.shape == (32, 32, 32)


def test_heads_of_detection_are_cuts() -> None:
    """The body with a head for each scale, whatever decodes boxes."""
    head = "[convolutional]\nsize=1\nfilters=18\nactivation=linear\n[yolo]\nmask=0\n"
    text = NET + conv(8, 3) + "[maxpool]\nsize=2\nstride=2\n" + conv(16, 3) + head
    text += route(-3) + conv(8) + "[upsample]\nstride=2\n" + route(-1, 0) + head
    part = imported(text, "small.cfg", partial=True)
    network = dotcnn.compile(part.text)
    assert sorted(each.node.shape for each in network.outputs) == [(18, 16, 16), (18, 32, 32)]


def test_a_part_of_nothing() -> None:
    with pytest.raises(SpecError) as caught:
        imported(NET + "[rnn]\n", "small.cfg", partial=True)
    assert caught.value.diagnostics[-1].message == "no layer before that can be said"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[rnn]\n", "the language has no recurrent layers"),
        ("[local]\n", "`conv"),
        (CONV + "antialiasing=1\n", "it is followed by a blur"),
        (CONV + "share_index=0\n", "it shares the weights of another layer"),
        ("[Gaussian_yolo]\n", "boxes are decoded outside of the network"),
        ("[maxpool]\nmaxpool_depth=1\n", "it takes the largest of several channels"),
        ("[reorg]\nstride=2\n", "3x32x32 is not divided by 2"),
        ("[sam]\nfrom=0\n", "there is no layer 0"),
    ],
)
def test_layers_without_words_say_why(text: str, why: str) -> None:
    assert why in problems(NET + text)[0]


def test_a_slice_of_one_channel() -> None:
    """`slice 0..1` is read as two numbers, whatever their type."""
    narrow = CONV.replace("filters=8", "filters=1")
    assert "| slice 0..1" in spec(NET + CONV + narrow + "[shortcut]\nfrom=-2\n")


def test_paths_within_paths_without_end() -> None:
    """They become labels, and cost no recursion."""
    count = 300
    sums = [f"[shortcut]\nfrom={count - 2 - n}\nactivation=linear\n" for n in range(count - 1)]
    assert "add skip" in spec(NET + CONV * count + "".join(sums))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: this does not begin with [net]"),
        ("[convolutional]\n", "1: this does not begin with [net]"),
        ("[net]\nheight=4\n", "1: [net] has no channels"),
        ("size=3\n", "1: this is not a line of a .cfg"),
        (NET, "1: this network has no layers"),
        (NET + CONV.replace("=8", "=x"), "6: `filters` is not a whole number of at least 1"),
        (NET + CONV.replace("8", "9" * 50), "6: `filters` is not a whole number of at least 1"),
        (NET + "[route]\nlayers=4\n", "6: there is no layer 4 before this one, which is layer 0"),
        (NET + "[route]\nlayers=-1\n", "6: there is no layer -1 before this one, which is layer 0"),
        (NET + CONV + "[route]\nlayers=,\n", "12: `` is not the number of a layer"),
        (
            NET + CONV + f"[route]\nlayers={','.join(['-1'] * 100_001)}\n",
            "11: more than 100,000 inputs of layers",
        ),
        (NET + "[connected]\n[maxpool]\nsize=2\n", "6: this layer does not fit: "),
        (NET + "[shortcut]\n", "5: this [shortcut] has no `from`"),
        (
            NET + CONV.replace("size=3", "size=99").replace("pad=1", "pad=0"),
            "5: this layer does not fit: a filter that spans 99 does not fit into 32",
        ),
    ],
)  # fmt: skip
def test_files_that_are_wrong(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


@pytest.mark.parametrize(
    ("name", "lines"),
    [("darknet53", 16), ("yolov3-tiny", 25), ("densenet201", 26), ("resnet50", 38)],
)
def test_known_networks_in_few_lines(name: str, lines: int) -> None:
    """`imported` proves them; here they are short, too."""
    text = shared(f"corpora/darknet/{name}.cfg").read_text()
    found = imported(text, f"{name}.cfg", partial=True).text
    written = [line for line in found.splitlines() if line.strip() and line[0] != "#"]
    assert len(written) <= lines, found


@pytest.mark.slow
def test_all_of_the_corpus() -> None:
    for path in sorted(shared("corpora/darknet").glob("*.cfg")):
        imported(path.read_text(), path.name, partial=True)
