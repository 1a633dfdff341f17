"""Networks of other tools: what `cnn import` reads, up to the proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dotcnn.compiler.importing.import_network import import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.source import Source
from fuzz.frame import Target, register


def text_of(name: str) -> Callable[[bytes], str]:
    """Imports the bytes as a text file of that name, whole and in part."""
    format = format_of(name)
    assert format is not None

    def run(data: bytes) -> str:
        given = Given(name, source=Source(name, data.decode("utf-8", "replace")))
        return import_network(given, format, partial=len(data) % 2 == 0).text

    return run


CFG = """[net]
batch=1
height=32
width=32
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=8
size=1
activation=linear

[shortcut]
from=-2
activation=relu

[route]
layers=-1,-3

[upsample]
stride=2
{end}
"""


def cfg_files() -> Sequence[bytes]:
    ends = [
        "[avgpool]\n\n[connected]\noutput=10\nactivation=linear\n\n[softmax]\ngroups=1\n",
        "[dropout]\nprobability=.5\n\n[lrn]\nsize=5\n\n[batchnorm]\n\n[cost]\ntype=sse",
        "[convolutional]\nfilters=18\ngroups=2\nactivation=mish\n\n[yolo]\nmask=0,1\nanchors=1,2",
        "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n\n[maxpool]\nsize=3\nstride=1\n\n[crop]",
    ]
    return [CFG.format(end=end).encode() for end in ends]


CFG_WORDS = [
    b"[convolutional]\n", b"[shortcut]\n", b"[route]\n", b"[maxpool]\n", b"[reorg]\n", b"[local]\n",
    b"[net]\n", b"[region]\n", b"from=", b"layers=", b"-1", b",", b"=", b"[", b"]", b"\n", b"\r",
    b"size=", b"stride=", b"padding=", b"filters=", b"groups=", b"dilation=", b"activation=", b"#",
    b"0", b"99999999", b"1e400", b"nan", b"height=", b"inputs=", b"stopbackward=1\n", b"[sam]\n",
    b"[scale_channels]\n", b"[avgpool]\n", b"[deconvolutional]\n", b"[crnn]\n", b"reverse=1\n",
]  # fmt: skip

PROTOTXT = """name: "Small"
input: "data"
input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }
}
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "pool1" bottom: "conv2" top: "sum" }
layer { name: "all" type: "Concat" bottom: "sum" bottom: "pool1" top: "all" }
layer { name: "fc" type: "InnerProduct" bottom: "all" top: "fc"
  inner_product_param { num_output: 10 } }
"""
OLD = """name: 'Old'
layers { name: "data" type: DATA top: "data" top: "label" include: { phase: TRAIN }
  transform_param { crop_size: 32 mirror: true } }
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
  convolution_param < num_output: 8, kernel_size: 5; group: 1 > }
layers { name: "n" type: LRN bottom: "c" top: "n" lrn_param { local_size: 5 alpha: 1e-4 } }
layers { name: "s" type: SLICE bottom: "n" top: "s1" top: "s2" slice_param { slice_dim: 1 } }
layers { name: "e" type: ELTWISE bottom: "s1" bottom: "s2" top: "e"
  eltwise_param { operation: MAX } }
layers { name: "i" type: INNER_PRODUCT bottom: "e" top: "i"
  inner_product_param { num_output: 10 } }
layers { name: "l" type: SOFTMAX_LOSS bottom: "i" bottom: "label" top: "l" loss_weight: 0.3 }
"""


def prototxt_files() -> Sequence[bytes]:
    head = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'
    loss = (
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "l"'
        " include { phase: TRAIN } }\n"
        'layer { name: "up" type: "Deconvolution" bottom: "all" top: "up"'
        " convolution_param { num_output: 4 kernel_size: 4 stride: 2 } }\n"
        'layer { name: "cut" type: "Crop" bottom: "up" bottom: "data" top: "cut"'
        " crop_param { axis: 2 offset: 1 } }\n"
    )
    return [f"{PROTOTXT}{head}".encode(), f"{PROTOTXT}{loss}".encode(), OLD.encode()]


PROTOTXT_WORDS = [
    b"layer { ", b"layers { ", b"}", b"<", b">", b'name: "x" ', b'type: "', b'"Slice"', b'"Concat"',
    b'"Crop"', b'"Reshape"', b'"Permute"', b'"Python"', b'bottom: "data" ', b'top: "data" ',
    b'bottom: "x" ', b'top: "x" ', b'bottom: "conv1" ', b"[1, 2]", b":", b"#", b"'", b'"', b"\\",
    b"0x", b"1e999", b"nan", b"-", b"dim: 0 ", b"axis: -1 ", b"include { phase: TRAIN } ",
    b"stride: 0 ", b"kernel_h: 3 ", b"global_pooling: true ", b"num_output: 0 ", b"group: 3 ",
    b"pool: STOCHASTIC ", b"coeff: -1 ", b"slice_point: 4 ", b"\xff", b"\x00", b"{" * 60,
]  # fmt: skip

register(Target("cfg", text_of("net.cfg"), cfg_files, CFG_WORDS))
register(Target("prototxt", text_of("net.prototxt"), prototxt_files, PROTOTXT_WORDS))
