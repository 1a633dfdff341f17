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
TanH { } = tanh
"""
MESSAGES = {"InnerProduct": "inner_product", "BatchNorm": "batch_norm"}


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
    text = INPUT + CONV + layer("Reshape", "a", "conv") + layer("Crop", "b", "a")
    assert [line.split(":")[0] for line in problems(text)] == ["3", "4"]
    text = INPUT + CONV + layer("Mystery", "a", "conv")
    assert problems(text) == ["3: `Mystery` cannot be said here: the language has no such layer"]
    assert "conv 8 3x3 same" in imported(text, "small.prototxt", partial=True).text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: this file has no layers"),
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
