"""Networks of other tools and their weights: what `cnn import` reads, up to the proof."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec

import numpy
import torch
from torch import nn

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from fuzz.frame import Target, register, scratch
from fuzz.targets.weights import JSON, PROTOBUF, ZIP, inside
from importing import onnx_nets, test_caffe_weights, test_darknet_weights, test_keras


def text_of(name: str) -> Callable[[bytes], str]:
    """Imports the bytes as a text file of that name, whole and in part."""
    format = format_of(name)
    assert format is not None

    def run(data: bytes) -> str:
        given = Given(name, source=Source(name, data.decode("utf-8", "replace")))
        return import_network(given, format, partial=len(data) % 2 == 0).text

    return run


def file_of(name: str) -> Callable[[bytes], str]:
    """Imports the bytes as a file of that name."""
    format = format_of(name)
    assert format is not None

    def run(data: bytes) -> str:
        path = scratch() / name
        path.write_bytes(data)
        return _said(lambda: import_network(Given(str(path)), format, partial=len(data) % 2 == 0))

    return run


def weights_of(name: str, text: str, ending: str) -> Callable[[bytes], str]:
    """Reads the bytes as the weights of a network."""
    format = format_of(name)
    assert format is not None

    def run(data: bytes) -> str:
        path = scratch() / f"weights{ending}"
        path.write_bytes(data)
        given = Given(name, weights=str(path), source=Source(name, text))
        return _said(lambda: import_network(given, format))

    return run


def _said(read: Callable[[], Imported]) -> str:
    """What came of it, without the folder, which is another one each time."""
    try:
        imported = read()
    except SpecError as error:
        lines = [f"{d.code} {d.message} {d.help}" for d in error.diagnostics]
    else:
        shapes = [f"{name} {tuple(each.shape)}" for name, each in imported.weights.items()]
        lines = [imported.text, *shapes]
    return "\n".join(lines).replace(str(scratch()), "")


# ---- Darknet and Caffe -----------------------------------------------------------------------

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

# ---- Keras -----------------------------------------------------------------------------------


def keras_models() -> list[str]:
    layer, conv = test_keras.layer, test_keras.conv
    plain = test_keras.sequential(
        conv(4, padding="same", activation="relu"),
        layer("BatchNormalization", epsilon=0.01),
        layer("MaxPooling2D", pool_size=[2, 2]),
        layer("Flatten"),
        layer("Dense", units=3, activation="softmax"),
        keras_version="2.9.0",
    )
    merged = test_keras.functional(
        (conv(3, padding="same", name="a"), ["in"]),
        (layer("Add", "sum"), ["in", "a"]),
        (layer("DepthwiseConv2D", "deep", kernel_size=[3, 3], padding="same"), ["sum"]),
        (layer("Concatenate", "all", axis=-1), ["deep", "sum"]),
        (layer("GlobalAveragePooling2D", "mean"), ["all"]),
        end="mean",
    )
    return [plain, merged]


def json_files() -> Sequence[bytes]:
    return [text.encode() for text in keras_models()]


KERAS_WORDS = [
    *JSON, b'"class_name": "Lambda"', b'"class_name": "Model"', b'"Sequential"', b'"inbound_nodes"',
    b"null", b"true", b"{}", b"[]", b'"same"', b'"channels_first"', b'"valid"', b'"in"', b'"a"',
    b'"kernel_size": 0', b'"strides": [2]', b'"units": 1e9', b'"axis": 7', b'"filters": null',
    b'"layers": []', b'"config": []', b'"batch_input_shape": [null, null, null, 3]',
]  # fmt: skip


def keras_weights() -> dict[str, dict[str, numpy.ndarray]]:
    ones = numpy.ones
    norm = {name: ones(4) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    return {
        "conv2d": {"kernel": ones((3, 3, 3, 4)), "bias": ones(4)},
        "batchnormalization": norm,
        "maxpooling2d": {},
        "flatten": {},
        "dense": {"kernel": ones((36, 3)), "bias": ones(3)},
    }


def h5_files() -> Sequence[bytes]:
    import h5py

    found = []
    for compression in (None, "gzip"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file.attrs["model_config"] = keras_models()[0]
            group = file.create_group("model_weights")
            held = keras_weights()
            group.attrs["layer_names"] = [name.encode() for name in held]
            for name, own in held.items():
                inner = group.create_group(name)
                inner.attrs["weight_names"] = [f"{name}/{each}:0".encode() for each in own]
                for each, values in own.items():
                    inner.create_dataset(f"{name}/{each}:0", data=values, compression=compression)
        found.append(stream.getvalue())
    return found


def keras_archives() -> Sequence[bytes]:
    import h5py

    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for name, own in keras_weights().items():
            group = file.create_group(f"layers/{name}/vars")
            for number, values in enumerate(own.values()):
                group.create_dataset(str(number), data=values)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("config.json", keras_models()[0])
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    return [stream.getvalue()]


HDF5 = [b"\x89HDF\r\n\x1a\n", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"\xff" * 8, b"\x00" * 8]

# ---- ONNX and torch --------------------------------------------------------------------------


def onnx_files() -> Sequence[bytes]:
    return [bytes(make().SerializeToString()) for make in onnx_nets.NETS.values()]


@cache
def pt2_files() -> Sequence[bytes]:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    stream = io.BytesIO()
    torch.export.save(torch.export.export(module.eval(), (torch.ones(5, 3, 8, 8),)), stream)
    return [stream.getvalue()]


PT2_WORDS = [
    *JSON, b"torch.ops.aten.conv2d.default", b"torch.ops.aten.view.default", b'"as_int": -1',
    b'"as_ints": [0]', b'"sizes": []', b'"as_none": true', b'"as_tensor": {"name": "x"}', b"null",
]  # fmt: skip

register(Target("cfg", text_of("net.cfg"), cfg_files, CFG_WORDS))
register(Target("prototxt", text_of("net.prototxt"), prototxt_files, PROTOTXT_WORDS))
register(
    Target(
        "darknet-weights", weights_of("net.cfg", test_darknet_weights.CFG, ".weights"),
        lambda: [test_darknet_weights.packed(test_darknet_weights.arrays())],
        [bytes(4), b"\xff" * 4, b"\x01\x00\x00\x00"],
    )
)  # fmt: skip
register(
    Target(
        "caffemodel", weights_of("net.prototxt", test_caffe_weights.LAYERS, ".caffemodel"),
        lambda: [
            test_caffe_weights.packed(test_caffe_weights.arrays(), old=old) for old in (False, True)
        ],
        PROTOBUF,
    )
)  # fmt: skip
register(Target("keras-json", text_of("net.json"), json_files, KERAS_WORDS))
register(Target("onnx-network", file_of("net.onnx"), onnx_files, PROTOBUF, few=30))
register(
    Target(
        "pt2",
        file_of("net.pt2"),
        pt2_files,
        [*ZIP, *PT2_WORDS],
        draw=inside(pt2_files, PT2_WORDS),
        few=15,
    )
)
if find_spec("h5py") is not None:
    # Each file is read by a process of its own first.
    register(Target("keras-h5", file_of("net.h5"), h5_files, HDF5, few=3))
    register(
        Target(
            "keras", file_of("net.keras"), keras_archives, [*ZIP, *HDF5],
            draw=inside(keras_archives, [*KERAS_WORDS, *HDF5]), few=3,
        )
    )  # fmt: skip
