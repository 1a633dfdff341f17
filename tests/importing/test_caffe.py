"""Networks of Caffe: what each layer becomes, in both syntaxes, and files that are wrong."""

from __future__ import annotations

import csv

import pytest

from dotcnn.compiler.importing.caffe import read_caffe
from dotcnn.compiler.importing.readers import Given
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from importing.imported import body, compiled, imported
from support import shared

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32\n'


def layer(kind: str, top: str, bottom: str = "data", more: str = "") -> str:
    return f'layer {{ name: "{top}" type: "{kind}" bottom: "{bottom}" top: "{top}" {more} }}\n'


CONV = layer(
    "Convolution", "conv", more="convolution_param { num_output: 8 kernel_size: 3 pad: 1 }"
)


def lines(text: str) -> list[str]:
    written = body(imported(text, "small.prototxt").text)
    return [line.strip() for line in written.splitlines()[2:-1]]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        imported(text, "small.prototxt")
    return [
        f"{each.span.line if each.span else 0}: {each.message}" for each in caught.value.diagnostics
    ]


LAYERS = """
Convolution { num_output: 8 kernel_h: 1 kernel_w: 7 pad_w: 3 } = conv 8 1x7 same
Convolution { num_output: 6 kernel_size: 3 group: 3 } = depthwise 3x3 multiplier=2
Convolution { num_output: 6 kernel_size: 3 dilation: 2 } = conv 6 3x3 dilation=2
Pooling { pool: MAX kernel_size: 3 stride: 2 } = pool max 3x3 stride=2 ceil
Pooling { pool: AVE global_pooling: true } = pool avg global, flatten
InnerProduct { num_output: 5 bias_term: false } = flatten | fc 5 bias=off
ReLU { negative_slope: 0.1 } = leaky 0.1
PReLU { channel_shared: true } = prelu
LRN { local_size: 3 alpha: 0.0001 } = lrn 3
Power { scale: 0.5 shift: 2 } = scale_by 0.5 | offset_by 2
BatchNorm { eps: 0.001 } = bn eps=0.001 affine=off
Scale { bias_term: true } = scale per=channel, bias per=channel
Softmax { } = softmax
Softmax { axis: 2 } = permute (1, 0, 2), softmax | permute (1, 0, 2)
TanH { } = tanh
Swish { } = silu
Clip { min: 0 max: 6 } = relu6
BN { frozen: true } = bn
BN { bn_mode: INFERENCE } = scale per=channel, bias per=channel
BatchNorm { scale_bias: true } = bn
Flatten { axis: 2 } = reshape 3x1024
Flatten { axis: 1 } = flatten
Reshape { shape { dim: 0 dim: -1 dim: 6 dim: 32 } } = reshape 16x6x32
Reshape { shape { dim: -1 } axis: 1 } = flatten
Reshape { shape { dim: 8 dim: -1 } axis: 2 num_axes: 1 } = reshape 3x8x4x32
Permute { order: 0 order: 2 order: 3 order: 1 } = permute (1, 2, 0)
ShuffleChannel { group: 3 } = shuffle 3
Interp { zoom_factor: 2 } = upsample to=63 mode=bilinear align_corners=on
Interp { height: 40 width: 60 } = upsample to=40x60 mode=bilinear align_corners=on
Upsample { scale: 2 } = upsample 2
Reduction { operation: MEAN axis: 2 } = pool avg global, flatten
"""
MESSAGES = {
    "InnerProduct": "inner_product", "BatchNorm": "batch_norm", "ShuffleChannel": "shuffle_channel"
}  # fmt: skip


@pytest.mark.parametrize("case", LAYERS.strip().splitlines())
def test_layers(case: str) -> None:
    given, _, expected = case.rpartition("} = ")
    kind, _, fields = given.partition(" { ")
    message = f"{MESSAGES.get(kind, kind.lower())}_param {{ {fields} }}"
    assert " | ".join(lines(INPUT + layer(kind, "out", more=message))) == expected


def test_old_syntax_and_layers_in_place() -> None:
    old = INPUT + (
        'layers { type: CONVOLUTION name: "c" bottom: "data" top: "c"'
        " convolution_param < num_output: 4, kernel_size: 1 > }\n"
        "layers { type: RELU name: 'r' bottom: 'c' top: 'c' }"
    )
    assert lines(old) == ["conv 4 1x1, relu"]


def test_a_scale_after_a_batch_norm_belongs_to_it() -> None:
    text = INPUT + CONV + layer("BatchNorm", "norm", "conv")
    text += layer("Scale", "scaled", "norm", "scale_param { bias_term: true }")
    assert lines(text) == ["conv 8 3x3 same bias=on, bn"]


def test_residual_and_concatenation() -> None:
    text = (
        INPUT + CONV + layer("Convolution", "more", "conv", "convolution_param { num_output: 8 }")
    )
    text += 'layer { type: "Eltwise" name: "sum" bottom: "conv" bottom: "more" top: "sum" }\n'
    text += 'layer { type: "Concat" name: "all" bottom: "sum" bottom: "conv" top: "all" }\n'
    assert "residual { conv 8 1x1 }" in "\n".join(lines(text))


def test_training_layers_and_phases() -> None:
    """The network of the test phase; the loss of an auxiliary head is one of ours."""
    text = (
        'layer { type: "Data" name: "data" top: "data" top: "label" include { phase: TRAIN }'
        " transform_param { crop_size: 32 } }\n"
        + CONV
        + layer("InnerProduct", "fc1", "conv", "inner_product_param { num_output: 10 }")
        + 'layer { type: "SoftmaxWithLoss" name: "loss1" bottom: "fc1" bottom: "label"'
        ' top: "loss1" loss_weight: 0.3 }\n'
        + layer("ReLU", "relu", "conv")
        + layer("InnerProduct", "fc2", "relu", "inner_product_param { num_output: 10 }")
        + 'layer { type: "SoftmaxWithLoss" name: "loss2" bottom: "fc2" bottom: "label"'
        ' top: "l2" }\n'
        + 'layer { type: "Accuracy" name: "acc" bottom: "fc2" bottom: "label" top: "acc" }'
    )
    network = compiled(imported(text, "train.prototxt").text)
    assert [(each.weight, each.aux) for each in network.aux] == [(0.3, True)]
    assert network.output.op.word == "fc"
    assert (
        "Left out: SoftmaxWithLoss `loss1` belongs to training" in imported(text, "a.prototxt").text
    )


def test_what_cannot_be_said_is_listed() -> None:
    text = INPUT + CONV + layer("Tile", "a", "conv") + layer("Threshold", "b", "a")
    assert [line.split(":")[0] for line in problems(text)] == ["3", "4"]
    text = INPUT + CONV + layer("Mystery", "a", "conv")
    assert problems(text) == ["3: `Mystery` cannot be said here: the language has no such layer"]
    assert "conv 8 3x3 same" in imported(text, "small.prototxt", partial=True).text


# ---- parts of well-known networks ----------------------------------------------------------------


def conv(top: str, bottom: str, filters: int, kernel: int = 1, more: str = "") -> str:
    pad = f"pad: {kernel // 2}" if kernel > 1 and "pad" not in more else ""
    param = f"convolution_param {{ num_output: {filters} kernel_size: {kernel} {pad} {more} }}"
    return layer("Convolution", top, bottom, param)


def merged(kind: str, top: str, *bottoms: str, more: str = "") -> str:
    given = " ".join(f'bottom: "{each}"' for each in bottoms)
    return f'layer {{ name: "{top}" type: "{kind}" {given} top: "{top}" {more} }}\n'


def test_squeeze_and_excitation_by_axpy() -> None:
    """SENet: the sum of a block and its shortcut, in one layer."""
    text = INPUT + conv("a", "data", 8, 3) + conv("x", "a", 8, 3)
    text += layer("Pooling", "pool", "x", "pooling_param { pool: AVE global_pooling: true }")
    text += conv("down", "pool", 2) + layer("ReLU", "relu", "down") + conv("up", "relu", 8)
    text += layer("Sigmoid", "gate", "up") + merged("Axpy", "sum", "gate", "x", "a")
    found = " ".join(lines(text))
    gate = "gate { pool avg global conv 2 1x1, relu conv 8 1x1, sigmoid }"
    assert found == f"conv 8 3x3 same residual {{ conv 8 3x3 same {gate} }}"


def test_a_scale_by_a_vector() -> None:
    text = INPUT + conv("a", "data", 8)
    text += layer("Pooling", "pool", "a", "pooling_param { pool: AVE global_pooling: true }")
    text += layer("InnerProduct", "fc", "pool", "inner_product_param { num_output: 8 }")
    text += merged("Scale", "out", "a", "fc", more="scale_param { axis: 0 }")
    assert " ".join(lines(text)) == "conv 8 1x1 gate { pool avg global, flatten fc 8 }"


def test_channel_shuffle_by_reshape_and_permute() -> None:
    def reshape(top: str, bottom: str, *sizes: int) -> str:
        dims = " ".join(f"dim: {size}" for size in sizes)
        return layer("Reshape", top, bottom, f"reshape_param {{ shape {{ {dims} }} }}")

    order = "permute_param { order: 0 order: 2 order: 1 order: 3 order: 4 }"
    text = INPUT + conv("a", "data", 12) + reshape("b", "a", 0, 3, 4, 32, -1)
    text += layer("Permute", "c", "b", order) + reshape("d", "c", 0, 12, 32, 32)
    assert lines(text + conv("e", "d", 4)) == ["conv 12 1x1", "shuffle 3", "conv 4 1x1"]


def test_heads_of_ssd() -> None:
    """Scores of all boxes in one vector; what makes boxes of them is a cut."""
    flat = "permute_param { order: 0 order: 2 order: 3 order: 1 }"
    text = INPUT + conv("a", "data", 8, 3)
    text += layer("Pooling", "b", "a", "pooling_param { kernel_size: 2 stride: 2 }")
    for name in "ab":
        text += conv(f"{name}_conf", name, 6, 3) + layer(
            "Permute", f"{name}p", f"{name}_conf", flat
        )
        text += layer("Flatten", f"{name}f", f"{name}p", "flatten_param { axis: 1 }")
    text += merged("Concat", "conf", "af", "bf", more="concat_param { axis: 1 }")
    shape = "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }"
    text += layer("Reshape", "scores", "conf", shape)
    text += layer("Softmax", "soft", "scores", "softmax_param { axis: 2 }")
    text += layer("Flatten", "out", "soft", "flatten_param { axis: 1 }")
    boxes = merged("PriorBox", "priors", "b", "data") + merged(
        "DetectionOutput", "d", "out", "priors"
    )
    assert compiled(imported(text, "ssd.prototxt").text).output.shape == (7680,)
    assert problems(text + boxes)[0].endswith(
        "`PriorBox` cannot be said here: boxes are decoded outside of the network"
    )
    part = imported(text + boxes, "ssd.prototxt", partial=True)
    assert compiled(part.text).output.shape == (7680,)


def test_crops_of_fcn() -> None:
    """By what the layer says, or as far as one map lies inside of the other."""
    up = "convolution_param { num_output: 4 kernel_size: 4 stride: 2 bias_term: false }"
    text = INPUT + conv("a", "data", 4, 3, "pad: 10") + layer(
        "Pooling", "b", "a", "pooling_param { kernel_size: 2 stride: 2 }"
    ) + layer("Deconvolution", "up", "b", up)  # fmt: skip
    said = merged("Crop", "out", "up", "data", more="crop_param { axis: 2 offset: 4 }")
    assert "crop 32x32 top=4 left=4" in lines(text + said)
    assert "crop 32x32 top=10 left=10" in lines(text + merged("Crop", "out", "up", "data"))


def test_slices_of_other_axes() -> None:
    text = INPUT + 'layer { type: "Slice" name: "s" bottom: "data" top: "a" top: "b"'
    text += " slice_param { axis: 2 slice_point: 12 } }\n" + conv("c", "a", 4) + conv("d", "b", 4)
    found = imported(text, "small.prototxt").text
    assert "crop bottom=20" in found
    assert "crop top=12" in found


def test_stages_of_digits() -> None:
    """A file for training and use: the network is that of use."""
    text = (
        'layer { type: "Data" name: "t" top: "data" include { stage: "train" } }\n'
        'layer { type: "Input" name: "i" top: "data" include { stage: "deploy" }'
        " input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }\n"
        + conv("a", "data", 4)
        + layer("SoftmaxWithLoss", "l", "a", 'exclude { stage: "deploy" }')
        + layer("Softmax", "s", "a", 'include { stage: "deploy" }')
    )
    assert lines(text) == ["conv 4 1x1, softmax"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            layer("Python", "p", more='python_param { module: "rpn" layer: "Proposal" }'),
            "Python code, `rpn.Proposal`",
        ),
        (merged("Upsample", "u", "data", "data"), "where the largest was before pooling"),
        (
            'layer { type: "Pooling" name: "p" bottom: "data" top: "p" top: "mask"'
            " pooling_param { kernel_size: 2 } }",
            "it gives the places of the largest, too",
        ),
        (layer("LRN", "n", more="lrn_param { norm_region: WITHIN_CHANNEL }"), "within channels"),
        (layer("Reshape", "r", more="reshape_param { shape { dim: 3 dim: -1 } }"), "of a batch"),
        (
            conv("a", "data", 3).replace("type", 'param { name: "w" } type')
            + conv("b", "a", 3).replace("type", 'param { name: "w" } type'),
            "it shares its weights with `a`",
        ),
        (
            conv("a", "data", 3)
            + layer("BatchNorm", "n", "a")
            + layer("Scale", "s", "n", "scale_param { bias_term: true }")
            + merged("Eltwise", "sum", "n", "s"),
            "it reads a batch norm before its scale",
        ),
        (layer("ROIPooling", "r"), "boxes are decoded outside"),
    ],
)  # fmt: skip
def test_layers_without_words_say_why(text: str, why: str) -> None:
    assert why in problems(INPUT + text)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: this file has no layers"),
        (INPUT + layer("Crop", "c"), "2: a Crop has two bottoms"),
        (INPUT + layer("Axpy", "c"), "2: an Axpy has three bottoms"),
        (
            INPUT + CONV.replace("kernel_size: 3", "kernel_size: 3 " * 3),
            "2: 3 numbers for the 2 axes of its input",
        ),
        (
            INPUT
            + merged("Crop", "c", "data", "data", more="crop_param { offset: [1, 2, 3] }"),
            "2: 3 offsets for 2 axes",
        ),
        ("layer {", "1: the text ends within a message"),
        ("layer { } }", "1: `}` cannot stand here"),
        ("layer @", "1: this character cannot stand here"),
        (CONV, "1: nothing says the size of its input"),
        ('input: "data"\n' + CONV, "1: nothing says the size of `data`"),
        (INPUT, "1: this network has no layers"),
        (INPUT + CONV + CONV, "3: `conv` is given by two layers; the other is on line 2"),
        (INPUT + layer("Convolution", "c"), "2: `c` has no num_output"),
        (INPUT + CONV.replace(": 8", ": -8"), "2: `num_output` is not a whole number"),
        (INPUT + CONV.replace("pad: 1", "stride: 0"), "2: this layer does not fit"),
        (INPUT + 'layer { type: "ReLU" top: "x" }', "2: the layer `` has no bottom"),
        (INPUT + layer("ReLU", "a", "b") + layer("ReLU", "b", "a"), "2: `ReLU` cannot be said"),
        ("a {" * 60 + "}" * 60, "1: messages within more than 50 others"),
        ("a {" * 200_000, "1: messages within more than 50 others"),
        ("#" * 2_000_001, "0: this file has more than 2,000,000 characters"),
    ],
)  # fmt: skip
def test_files_that_are_wrong(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


@pytest.mark.slow
def test_all_of_the_corpus() -> None:
    """Proved by the import; convolutions as many as the reference counts."""
    counts: dict[str, int] = {}
    with shared("reference/caffe_layers.csv").open() as file:
        for row in csv.DictReader(file):
            if row["type"].lower() == "convolution":
                counts[row["net"]] = counts.get(row["net"], 0) + 1
    for path in sorted(shared("corpora/caffe").glob("*.prototxt")):
        imported(path.read_text(), path.name, partial=True)
        graph = read_caffe(Given(path.name, source=Source(path.name, path.read_text())))
        found = sum(each.op.word in ("conv", "depthwise") for each in graph.layers)
        assert found == counts[path.name], path.name


def test_googlenet_reads_as_a_person_would_write_it() -> None:
    text = shared("corpora/caffe/googlenet.prototxt").read_text()
    found = imported(text, "googlenet.prototxt").text
    assert "  mixed 64 96 128 16 32 32\n  mixed 128 128 192 32 96 64\n" in found
    assert len(found.splitlines()) < 45
