"""Small ONNX files, built as the tools of others build theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from onnx import ModelProto, TensorProto, helper, numpy_helper

NETS: dict[str, Callable[[], ModelProto]] = {}


def net(function: Callable[[], ModelProto]) -> Callable[[], ModelProto]:
    NETS[function.__name__] = function
    return function


class Builder:
    def __init__(self, *shape: int | str, kind: int = TensorProto.FLOAT, seed: int = 0) -> None:
        self.random = numpy.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs = [helper.make_tensor_value_info("x", kind, list(shape))]
        self.kind = kind
        self.functions: list[Any] = []

    def weight(self, *shape: int, name: str = "", value: Any = None) -> str:
        name = name or f"w{len(self.weights)}"
        type = helper.tensor_dtype_to_np_dtype(self.kind)
        array = self.random.normal(0, 0.4, shape).astype(type) if value is None else value
        self.weights.append(numpy_helper.from_array(numpy.asarray(array), name))
        return name

    def ints(self, *values: int) -> str:
        return self.weight(value=numpy.array(values, numpy.int64))

    def add(
        self, op: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any
    ) -> Any:
        made = [f"{op.lower()}_{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def conv(
        self, x: str, into: int, out: int, side: int = 3, *, bias: bool = True, **given: Any
    ) -> str:
        weights = [self.weight(out, into // given.get("group", 1), side, side)]
        weights += [self.weight(out)] if bias else []
        given.setdefault("kernel_shape", [side, side])
        result: str = self.add("Conv", x, *weights, **given)
        return result

    def norm(self, x: str, channels: int, **given: Any) -> str:
        weights = [self.weight(channels) for _ in range(3)]
        spread = self.weight(value=self.random.uniform(0.5, 1.5, channels).astype("float32"))
        result: str = self.add("BatchNormalization", x, *weights, spread, **given)
        return result

    def model(
        self, *outputs: str, opset: int = 13, initializers_as_inputs: bool = False
    ) -> ModelProto:
        results = [helper.make_tensor_value_info(each, self.kind, None) for each in outputs]
        inputs = list(self.inputs)
        if initializers_as_inputs:
            inputs += [
                helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
                for each in self.weights
            ]
        graph = helper.make_graph(self.nodes, "net", inputs, results, self.weights)
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(each.domain, 1) for each in self.functions]
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions)
        model.ir_version = 8
        return model


@net
def cntk_mnist() -> ModelProto:
    """Convolutions without bias, `Plus` of 8x1x1, a matrix that is reshaped in the graph."""
    b = Builder(1, 1, 28, 28)
    x = b.conv(
        "x", 1, 8, 5, bias=False, auto_pad="SAME_UPPER", strides=[1, 1], dilations=[1, 1], group=1
    )
    x = b.add("Relu", b.add("Add", x, b.weight(8, 1, 1)))
    x = b.add(
        "MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], auto_pad="NOTSET", pads=[0, 0, 0, 0]
    )
    x = b.conv(x, 8, 16, 5, bias=False, auto_pad="SAME_UPPER")
    x = b.add("Relu", b.add("Add", x, b.weight(16, 1, 1)))
    x = b.add("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = b.add("Reshape", x, b.ints(1, 256))
    matrix = b.add("Reshape", b.weight(16, 4, 4, 10), b.ints(256, 10))
    x = b.add("Add", b.add("MatMul", x, matrix), b.weight(1, 10))
    return b.model(x, opset=8)


@net
def softsign_written_out() -> ModelProto:
    """`x / (1 + abs(x))`, whose 1 is among the weights of the file."""
    b = Builder(1, 3, 8, 8)
    x = b.conv("x", 3, 4)
    one = b.weight(value=numpy.float32(1))
    x = b.add("Div", x, b.add("Add", b.add("Abs", x), one))
    return b.model(b.add("Flatten", b.add("GlobalAveragePool", x)))


@net
def caffe2_alexnet() -> ModelProto:
    b = Builder(1, 3, 35, 35)
    x = b.add("Relu", b.conv("x", 3, 8, 5, strides=[2, 2], pads=[0, 0, 0, 0]))
    x = b.add("LRN", x, size=5, alpha=1e-4, beta=0.75, bias=1.0)
    x = b.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    x = b.add("Relu", b.conv(x, 8, 8, 3, group=2, pads=[1, 1, 1, 1]))
    x = b.add("Reshape", x, b.ints(1, 512))
    x = b.add("Relu", b.add("Gemm", x, b.weight(12, 512), b.weight(12), transB=1))
    x, _ = b.add("Dropout", x, outputs=2, ratio=0.5)
    x = b.add("Gemm", x, b.weight(5, 12), b.weight(5), transB=1)
    return b.model(b.add("Softmax", x), opset=8, initializers_as_inputs=True)


@net
def mxnet_resnet() -> ModelProto:
    b = Builder("N", 3, 16, 16)
    x = b.norm("x", 3, epsilon=2e-5, momentum=0.9, spatial=1)
    x = b.conv(x, 3, 8, 3, bias=False, pads=[1, 1, 1, 1])
    for _ in range(2):
        y = b.add("Relu", b.norm(x, 8, epsilon=2e-5, spatial=1))
        y = b.conv(y, 8, 8, 3, bias=False, pads=[1, 1, 1, 1], strides=[1, 1])
        y = b.add("Relu", b.norm(y, 8, epsilon=2e-5, spatial=1))
        x = b.add("Add", b.conv(y, 8, 8, 3, bias=False, pads=[1, 1, 1, 1]), x)
    x = b.add("GlobalAveragePool", b.add("Relu", x))
    x = b.add("Flatten", x)
    return b.model(
        b.add("Gemm", x, b.weight(10, 8), b.weight(10), transB=1, alpha=1.0, beta=1.0), opset=8
    )


@net
def tensorflow_mobilenet() -> ModelProto:
    """Channels last: turned before the first convolution, in the middle, and for the head."""
    b = Builder("unk__1", 16, 16, 3)
    x = b.add("Transpose", "x", perm=[0, 3, 1, 2])
    x = b.add("Pad", x, b.ints(0, 0, 0, 0, 0, 0, 1, 1))
    low, high = b.weight(value=numpy.float32(0)), b.weight(value=numpy.float32(6))
    x = b.add("Clip", b.conv(x, 3, 8, 3, strides=[2, 2]), low, high)
    y = b.add("Clip", b.conv(x, 8, 8, 3, group=8, pads=[1, 1, 1, 1]), low, high)
    y = b.add("Transpose", y, perm=[0, 2, 3, 1])
    # squeeze and excitation
    s = b.add("ReduceMean", y, axes=[1, 2], keepdims=0)
    s = b.add("Relu", b.add("Add", b.add("MatMul", s, b.weight(8, 4)), b.weight(4)))
    s = b.add("Sigmoid", b.add("Add", b.add("MatMul", s, b.weight(4, 8)), b.weight(8)))
    y = b.add("Mul", y, b.add("Reshape", s, b.ints(-1, 1, 1, 8)))
    y = b.add("Add", y, b.add("Transpose", x, perm=[0, 2, 3, 1]))
    y = b.add("Concat", y, b.add("Mul", y, b.weight(8)), axis=-1)
    y = b.add("Relu", b.add("Add", y, b.weight(16)))
    y = b.add("ReduceMean", y, axes=[1, 2], keepdims=0)
    y = b.add("Add", b.add("MatMul", y, b.weight(16, 5)), b.weight(5))
    return b.model(b.add("Softmax", y, axis=-1))


@net
def keras_flatten() -> ModelProto:
    """The vector of a map with its channels last."""
    b = Builder("N", 8, 8, 2)
    x = b.add("Relu", b.conv(b.add("Transpose", "x", perm=[0, 3, 1, 2]), 2, 6, 3))
    x = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.add("Transpose", x, perm=[0, 2, 3, 1])
    x = b.add("Relu", b.add("Reshape", x, b.ints(-1, 54)))
    x = b.add("Add", b.add("MatMul", x, b.weight(54, 7)), b.weight(7))
    return b.model(x, opset=12)


@net
def tensorflow_segmentation() -> ModelProto:
    """A map with its channels last comes out."""
    b = Builder(1, 8, 8, 3)
    x = b.add(
        "Relu", b.conv(b.add("Transpose", "x", perm=[0, 3, 1, 2]), 3, 6, 3, pads=[1, 1, 1, 1])
    )
    y = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = b.add("Transpose", b.conv(y, 6, 6, 3, pads=[1, 1, 1, 1]), perm=[0, 2, 3, 1])
    scales = b.weight(value=numpy.array([1, 2, 2, 1], numpy.float32))
    y = b.add("Resize", y, "", scales, mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric")  # fmt: skip
    y = b.add("Concat", y, b.add("Transpose", x, perm=[0, 2, 3, 1]), axis=3)
    y = b.conv(b.add("Transpose", y, perm=[0, 3, 1, 2]), 12, 2, 1)
    return b.model(b.add("Sigmoid", b.add("Transpose", y, perm=[0, 2, 3, 1])))


@net
def torch_shuffle() -> ModelProto:
    """A channel shuffle with shapes that are computed, split and concatenated."""
    b = Builder("batch", 4, 8, 8)
    shape = b.add("Shape", "x")
    zero = b.add("Constant", value=numpy_helper.from_array(numpy.array(0, numpy.int64)))
    count = b.add("Unsqueeze", b.add("Gather", shape, zero, axis=0), b.ints(0))
    wide = b.add("Concat", count, b.ints(2), b.ints(2), b.ints(8), b.ints(8), axis=0)
    x = b.add("Transpose", b.add("Reshape", "x", wide), perm=[0, 2, 1, 3, 4])
    x = b.add("Reshape", x, b.add("Concat", count, b.ints(4, 8, 8), axis=0))
    one, other = b.add("Split", x, b.ints(2, 2), outputs=2, axis=1)
    x = b.add("Concat", one, b.add("Relu", b.conv(other, 2, 2, 1)), axis=1)
    x = b.add("GlobalAveragePool", x)
    x = b.add("Reshape", x, b.add("Concat", count, b.ints(-1), axis=0))
    return b.model(b.add("Gemm", x, b.weight(3, 4), b.weight(3), transB=1))


@net
def torch_super_resolution() -> ModelProto:
    b = Builder("batch", 1, 6, 6)
    x = b.add("Relu", b.conv("x", 1, 8, 5, pads=[2, 2, 2, 2]))
    x = b.conv(x, 8, 9, 3, pads=[1, 1, 1, 1])
    x = b.add("Reshape", x, b.ints(-1, 1, 3, 3, 6, 6))
    x = b.add("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    return b.model(b.add("Reshape", x, b.ints(-1, 1, 18, 18)), opset=10)


@net
def darknet_tiny_yolo() -> ModelProto:
    b = Builder("None", 3, 16, 16)
    x = b.add("Mul", "x", b.weight(value=numpy.array([1 / 255], numpy.float32)))
    x = b.norm(b.conv(x, 3, 8, 3, bias=False, auto_pad="SAME_UPPER"), 8)
    x = b.add("MaxPool", b.add("LeakyRelu", x, alpha=0.1), kernel_shape=[2, 2], strides=[2, 2])
    x = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    return b.model(b.conv(x, 8, 10, 1), opset=8)


@net
def torch_fcn() -> ModelProto:
    """It grows to the size of the input, which the graph asks for; and has two outputs."""
    b = Builder("batch", 3, 17, 17)
    x = b.add("Relu", b.conv("x", 3, 8, 3, strides=[2, 2], pads=[1, 1, 1, 1]))
    side = b.add("Slice", b.add("Shape", "x"), b.ints(2), b.ints(4))
    outputs = []
    for _ in range(2):
        y = b.conv(x, 8, 4, 1)
        head = b.add("Slice", b.add("Shape", y), b.ints(0), b.ints(2), b.ints(0))
        sizes = b.add("Concat", head, side, axis=0)
        outputs.append(
            b.add("Resize", y, "", "", sizes, mode="linear",
                  coordinate_transformation_mode="pytorch_half_pixel")
        )  # fmt: skip
    return b.model(*outputs)


@net
def torch_convtranspose() -> ModelProto:
    b = Builder("batch", 3, 8, 8)
    x = b.add(
        "ConvTranspose", "x", b.weight(3, 6, 4, 4), b.weight(6), strides=[2, 2], pads=[1, 1, 1, 1]
    )
    x = b.add("PRelu", x, b.weight(6, 1, 1))
    x = b.add("InstanceNormalization", x, b.weight(6), b.weight(6), epsilon=1e-5)
    return b.model(b.add("HardSwish", x), opset=14)


@net
def torch_attention() -> ModelProto:
    """Einsum, layer norm and gelu of their own kind."""
    b = Builder("batch", 8, 4, 4)
    x = b.add("Reshape", "x", b.ints(0, 8, -1))
    x = b.add("Transpose", x, perm=[0, 2, 1])
    x = b.add("LayerNormalization", x, b.weight(8), b.weight(8), axis=-1)
    x = b.add("Gelu", b.add("Add", b.add("MatMul", x, b.weight(8, 8)), b.weight(8)))
    x = b.add("ReduceMean", x, b.ints(1), keepdims=0)
    return b.model(b.add("Gemm", x, b.weight(3, 8), b.weight(3), transB=1), opset=20)


@net
def old_versions() -> ModelProto:
    """The first operators: pads, axes and clips as attributes, norms with settings of theirs."""
    b = Builder(2, 3, 8, 8)
    x = b.add("Pad", "x", pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0)
    x = b.norm(b.conv(x, 3, 4, 3), 4, is_test=1, epsilon=1e-3)
    x = b.add("Dropout", b.add("Clip", x, min=0.0, max=6.0), is_test=1, ratio=0.25)
    x = b.add("AveragePool", x, kernel_shape=[8, 8])
    x = b.add("Squeeze", x, axes=[2, 3])
    return b.model(b.add("Gemm", x, b.weight(4, 3), b.weight(3), broadcast=1), opset=6)


def function(name: str, nodes: Sequence[Any], inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, list(inputs), list(outputs), list(nodes), opsets)


@net
def with_functions() -> ModelProto:
    """Functions of its own, one inside the other, and a branch that is known."""
    b = Builder("batch", 3, 8, 8)
    inner = function(
        "Unit",
        [
            helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["y"], ["z"]),
        ],
        ["x", "w"], ["z"],
    )  # fmt: skip
    outer = function(
        "Pair",
        [
            helper.make_node("Unit", ["x", "w"], ["y"], domain="local"),
            helper.make_node("Unit", ["y", "v"], ["z"], domain="local"),
        ],
        ["x", "w", "v"], ["z"],
    )  # fmt: skip
    b.functions += [inner, outer]
    x = b.add("Pair", "x", b.weight(4, 3, 3, 3), b.weight(4, 4, 3, 3), domain="local")
    branches = {
        f"{which}_branch": helper.make_graph(
            [helper.make_node(op, [x], ["out"])],
            which, [], [helper.make_tensor_value_info("out", 1, None)],
        )
        for which, op in (("then", "GlobalMaxPool"), ("else", "GlobalAveragePool"))
    }  # fmt: skip
    x = b.add("If", b.weight(value=numpy.array(False)), **branches)
    model = b.model(b.add("Flatten", x), opset=18)
    del model.opset_import[2:]
    return model
