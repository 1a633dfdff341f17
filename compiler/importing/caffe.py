"""Reads networks of Caffe: `.prototxt`, with layers in the new and in the old syntax. The network
is that of the test phase; losses, accuracies and data layers belong to training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ..ops import REGISTRY
from ..shapes import Shape, ShapeError, axes_of
from .graph import Graph, GraphBuilder, GraphOutput, Layer, Result
from .readers import Given
from .text_format import Field, Message, read_message

DATA = frozenset(
    "data imagedata hdf5data memorydata dummydata windowdata input annotateddata images hdf5_data"
    .replace("_", "").split()
)  # fmt: skip
LOSSES = frozenset(
    "softmaxwithloss softmaxloss euclideanloss hingeloss sigmoidcrossentropyloss infogainloss"
    " multinomiallogisticloss contrastiveloss smoothl1loss".split()
)
LEFT_OUT = frozenset("accuracy silence argmax hdf5output".split())
MAX_LAYERS = 50_000
AXES = ("h", "w")

Reader = Callable[["_Layer", Sequence[Result]], Result]


def read_caffe(given: Given) -> Graph:
    """The network of a `.prototxt`."""
    return _Reader(given.source, read_message(given.source), given.input_shape).read()


class _Layer:
    """A layer of the file."""

    def __init__(self, message: Message, span: Span) -> None:
        self.message = message
        self.span = span
        name, kind = message.first("name"), message.first("type")
        self.name = str(name.value) if name is not None else ""
        self.kind = str(kind.value) if kind is not None else ""
        if kind is not None:
            self.span = kind.span
        self.bottoms = message.all("bottom")
        self.tops = message.all("top")

    @property
    def word(self) -> str:
        """Its kind in either syntax: `INNER_PRODUCT` is `InnerProduct`."""
        return self.kind.replace("_", "").lower()

    def in_phase(self, phase: str) -> bool:
        """Whether it belongs to the network of a phase."""
        rules = [message for message, _ in self.message.messages("include")]
        refused = [message for message, _ in self.message.messages("exclude")]
        if rules:
            return any(_phase(rule) in ("", phase) for rule in rules)
        return not any(_phase(rule) == phase for rule in refused)


def _phase(rule: Message) -> str:
    field = rule.first("phase")
    return str(field.value).upper() if field is not None else ""


class _Reader:
    def __init__(self, source: Source, message: Message, input_shape: Shape | None) -> None:
        self.source = source
        self.message = message
        self.given = input_shape
        self.builder = GraphBuilder()
        self.blobs: dict[str, Result] = {}
        self.made_at: dict[str, Span] = {}
        self.used: set[str] = set()
        """Blobs that a layer reads."""
        self.ignored: set[str] = set()
        """Blobs of labels."""
        self.losses: list[tuple[float, Result, str]] = []
        self.norms: dict[int, Layer] = {}
        """Batch norms that a `Scale` may follow, which then belongs to them."""
        self.absorbed: set[int] = set()
        self.parameters = Message([])

    def read(self) -> Graph:
        layers = self.layers()
        self.inputs(layers)
        for layer in layers:
            if layer.word in DATA:
                continue
            self.layer(layer)
        if not self.builder.layers and not self.builder.mistakes:
            help = "write --input 3x224x224"
            self.builder.mistake("prototxt", "nothing says the size of its input", self.start, help)
        return self.finished()

    @property
    def start(self) -> Span:
        return Span(self.source, 0, 0)

    def layers(self) -> list[_Layer]:
        messages = list(self.message.messages("layer", "layers"))
        messages.sort(key=lambda pair: pair[1].start)
        if len(messages) > MAX_LAYERS:
            text = f"more than {MAX_LAYERS:,} layers"
            raise SpecError([Diagnostic("limit", text, messages[MAX_LAYERS][1])])
        layers = [_Layer(message, span) for message, span in messages]
        if not layers and not self.message.fields:
            raise SpecError([Diagnostic("prototxt", "this file has no layers", self.start)])
        test = [layer for layer in layers if layer.in_phase("TEST")]
        data = [layer for layer in layers if layer.word in DATA]
        if data and not any(layer.word in DATA for layer in test):
            test += [layer for layer in data if layer not in test]
        return test

    # ---- the input ----

    def inputs(self, layers: Sequence[_Layer]) -> None:
        """Makes the input of the network, if it is said."""
        names = self.message.all("input")
        dims = [self.int_of(field) for field in self.message.all("input_dim")]
        shapes = [self.dims(message) for message, _ in self.message.messages("input_shape")]
        if names:
            if len(names) > 1:
                self.builder.cannot_say("input", "it has several inputs", names[1].span)
                self.blobs.update({str(field.value): None for field in names[1:]})
            shape = tuple(dims[1:4]) if dims else shapes[0][1:] if shapes else ()
            self.make_input(str(names[0].value), shape, names[0].span)
            return
        for layer in layers:
            if layer.word in DATA and layer.tops:
                self.ignored.update(str(field.value) for field in layer.tops[1:])
                top = str(layer.tops[0].value)
                if top not in self.blobs and not self.builder.layers:
                    self.make_input(top, self.data_shape(layer), layer.tops[0].span)
                elif top not in self.blobs:
                    self.ignored.add(top)

    def make_input(self, name: str, shape: Shape, span: Span) -> None:
        shape = self.given or shape
        if not shape or min(shape) < 1:
            help = "write --input 3x224x224"
            self.builder.mistake("prototxt", f"nothing says the size of `{name}`", span, help)
            return
        self.blobs[name] = self.builder.input(shape, name, span)
        self.made_at[name] = span

    def data_shape(self, layer: _Layer) -> Shape:
        """The shape that a data layer gives; empty if it does not say it."""
        message = layer.message
        for name in ("input_param", "dummy_data_param"):
            for shape, _ in message.message(name).messages("shape"):
                return self.dims(shape)[1:]
        memory = message.message("memory_data_param")
        if memory.fields:
            sizes = [memory.first(name) for name in ("channels", "height", "width")]
            return tuple([self.int_of(field) if field is not None else 0 for field in sizes])
        crop = message.message("transform_param").first("crop_size")
        for name in ("data_param", "image_data_param", "window_data_param"):
            crop = crop or message.message(name).first("crop_size")
        side = self.int_of(crop) if crop is not None else 0
        return (3, side, side) if side else ()

    def dims(self, message: Message) -> Shape:
        return tuple([self.int_of(field) for field in message.all("dim")])

    # ---- values ----

    def int_of(self, field: Field) -> int:
        value = field.value
        if isinstance(value, int) and 0 <= value < 10**9:
            return value
        self.builder.mistake("prototxt", f"`{field.name}` is not a whole number", field.span)
        return 1

    def whole(self, name: str, usual: int) -> int:
        field = self.parameters.first(name)
        return usual if field is None else self.int_of(field)

    def number(self, name: str, usual: float) -> float:
        field = self.parameters.first(name)
        if field is None:
            return usual
        if isinstance(field.value, (int, float)):
            return float(field.value)
        self.builder.mistake("prototxt", f"`{field.name}` is not a number", field.span)
        return usual

    def flag(self, name: str, usual: bool = False) -> bool:
        field = self.parameters.first(name)
        return usual if field is None else str(field.value).lower() in ("true", "1", "t")

    def word(self, name: str, usual: str) -> str:
        field = self.parameters.first(name)
        return usual if field is None else str(field.value).upper()

    def pair(self, name: str, usual: int, repeated: str = "") -> tuple[int, int]:
        """`kernel_h` and `kernel_w`, or `kernel_size` for both."""
        found = [self.parameters.first(f"{name}_{axis}") for axis in AXES]
        if any(found):
            sides = [usual if field is None else self.int_of(field) for field in found]
            return sides[0], sides[1]
        values = [self.int_of(field) for field in self.parameters.all(repeated or name)]
        return (values[0], values[-1]) if values else (usual, usual)

    # ---- layers ----

    def layer(self, layer: _Layer) -> None:
        word = layer.word
        if layer.message.by_name.get("layer"):
            self.builder.cannot_say(
                "layers", "it is in the syntax of Caffe's first version", layer.span
            )
            return
        if word in LEFT_OUT:
            self.builder.remarks.append(f"{layer.kind} `{layer.name}` belongs to training")
            return
        bottoms = self.bottoms(layer)
        if bottoms is None:
            return
        if word in LOSSES:
            self.loss(layer, bottoms)
            return
        result: Result | list[Result]
        if word == "slice":
            result = self.slice(layer, bottoms)
        elif word == "split":
            result = [bottoms[0]] * len(layer.tops)
        else:
            reader = READERS.get(word)
            if reader is None:
                self.builder.cannot_say(layer.kind or "layer", _why(word), layer.span, bottoms)
                result = None
            else:
                name, read = reader
                self.parameters = layer.message.message(name)
                result = read(self, layer, bottoms)
        self.tops(layer, result)

    def bottoms(self, layer: _Layer) -> list[Result] | None:
        """What it reads; None if there is no such blob."""
        found: list[Result] = []
        names = [str(field.value) for field in layer.bottoms]
        wanted = [
            (name, field)
            for name, field in zip(names, layer.bottoms, strict=True)
            if name not in self.ignored
        ]
        if not wanted:
            if layer.word not in LOSSES:
                self.builder.mistake(
                    "prototxt", f"the layer `{layer.name}` has no bottom", layer.span
                )
            return None
        for name, field in wanted:
            if name not in self.blobs and self.given and not self.builder.layers:
                self.make_input(name, (), field.span)
            elif name not in self.blobs:
                text = f"it reads `{name[:60]}`, which no layer before it gives"
                self.builder.cannot_say(layer.kind, text, field.span)
                self.blobs[name] = None
            self.used.add(name)
            blob = self.blobs[name]
            if blob is not None and blob.index in self.absorbed:
                text = "it reads a batch norm before its scale"
                self.builder.cannot_say(layer.kind, text, field.span)
                blob = None
            found.append(blob)
        return found

    def tops(self, layer: _Layer, result: Result | list[Result]) -> None:
        results = result if isinstance(result, list) else [result] * len(layer.tops)
        if not layer.tops and not isinstance(result, list):  # Caffe gives it one by itself
            self.blobs.setdefault(layer.name, result)
        bottoms = {str(field.value) for field in layer.bottoms}
        for field, made in zip(layer.tops, results, strict=False):
            name = str(field.value)
            if name in self.made_at and name not in bottoms:
                line = self.made_at[name].line
                text = f"`{name[:60]}` is given by two layers; the other is on line {line}"
                self.builder.mistake("prototxt", text, field.span)
            self.blobs[name] = made
            self.made_at[name] = field.span
            self.used.discard(name)

    def loss(self, layer: _Layer, bottoms: Sequence[Result]) -> None:
        weights = layer.message.all("loss_weight")
        value = weights[0].value if weights else 1.0
        weight = float(value) if isinstance(value, (int, float)) else 1.0
        self.losses.append((weight, bottoms[0], layer.name))
        self.builder.remarks.append(f"{layer.kind} `{layer.name}` belongs to training")

    def unsaid(self, layer: _Layer, why: str, inputs: Sequence[Result]) -> None:
        self.builder.cannot_say(layer.kind, why, layer.span, inputs)

    def add(self, word: str, layer: _Layer, *inputs: Result, **given: object) -> Result:
        return self.builder.add(word, inputs, layer.name, layer.span, **given)

    def convolution(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        return self.add("conv", layer, bottoms[0], **self.filters(layer))

    def deconvolution(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        given = self.filters(layer)
        return self.add("deconv", layer, bottoms[0], **given)

    def depthwise(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        given = self.filters(layer)
        source = bottoms[0]
        if source is not None:
            given["groups"] = source.shape[0]
        return self.add("conv", layer, source, **given)

    def filters(self, layer: _Layer) -> dict[str, Any]:
        if self.parameters.first("num_output") is None:
            text = f"`{layer.name}` has no num_output"
            self.builder.mistake("prototxt", text, layer.span)
        return {
            "out": self.whole("num_output", 1),
            "kernel": self.pair("kernel", 1, "kernel_size"),
            "stride": self.pair("stride", 1),
            "pad": self.pair("pad", 0),
            "dilation": self.pair("dilation", 1),
            "groups": self.whole("group", 1),
            "bias": self.flag("bias_term", True),
        }

    def pooling(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        kinds = {"MAX": "pool max", "0": "pool max", "AVE": "pool avg", "1": "pool avg"}
        name = self.word("pool", "MAX")
        if name not in kinds:
            self.unsaid(layer, f"the language has no pooling {name[:20]}", bottoms)
            return None
        if self.flag("global_pooling"):
            return self.add(kinds[name], layer, source, **{"global": True})
        if source is None or len(source.shape) != 3:
            return self.add(kinds[name], layer, source, kernel=(1, 1))
        up = self.word("round_mode", "CEIL") in ("CEIL", "0") and self.flag("ceil_mode", True)
        given: dict[str, Any] = {
            "kernel": self.pair("kernel", 1, "kernel_size"),
            "stride": self.pair("stride", 1),
            "pad": self.pair("pad", 0),
            "ceil": up,
        }
        wanted = tuple(
            [
                _pooled(side, numbers, up)
                for side, *numbers in zip(
                    source.shape[1:], given["kernel"], given["stride"], given["pad"], strict=True
                )
            ]
        )
        op = REGISTRY[kinds[name]].make(**given)
        try:
            if op.output(source.shape)[1:] != wanted:
                self.unsaid(layer, "its last window begins behind the map", bottoms)
                return None
        except (ShapeError, ZeroDivisionError):
            pass  # said when it is added
        return self.add(kinds[name], layer, source, **given)

    def inner_product(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        if self.whole("axis", 1) != 1:
            self.unsaid(layer, "it works along another axis", bottoms)
            return None
        if self.parameters.first("num_output") is None:
            text = f"`{layer.name}` has no num_output"
            self.builder.mistake("prototxt", text, layer.span)
        flat = self.builder.flat(bottoms[0], layer.span)
        bias = self.flag("bias_term", True)
        return self.add("fc", layer, flat, out=self.whole("num_output", 1), bias=bias)

    def relu(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        slope = self.number("negative_slope", 0.0)
        if slope:
            return self.add("leaky", layer, bottoms[0], slope=slope)
        return self.add("relu", layer, bottoms[0])

    def prelu(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        per = "layer" if self.flag("channel_shared") else "channel"
        return self.add("prelu", layer, bottoms[0], per=per)

    def elu(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        return self.add("elu", layer, bottoms[0], alpha=self.number("alpha", 1.0))

    def power(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        """(shift + scale * x) ^ power"""
        result = bottoms[0]
        power = self.number("power", 1.0)
        if power not in (1.0, 2.0):
            self.unsaid(layer, f"the language has no power {power:g}", bottoms)
            return None
        scale, shift = self.number("scale", 1.0), self.number("shift", 0.0)
        if scale != 1.0:
            result = self.add("scale_by", layer, result, factor=scale)
        if shift:
            result = self.add("offset_by", layer, result, offset=shift)
        return self.add("square", layer, result) if power == 2.0 else result

    def lrn(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        if self.word("norm_region", "ACROSS_CHANNELS") not in ("ACROSS_CHANNELS", "0"):
            self.unsaid(layer, "it normalizes within channels", bottoms)
            return None
        return self.add(
            "lrn", layer, bottoms[0],
            size=self.whole("local_size", 5), alpha=self.number("alpha", 1.0),
            beta=self.number("beta", 0.75), k=self.number("k", 1.0),
        )  # fmt: skip

    def batch_norm(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        result = self.add(
            "bn", layer, bottoms[0], eps=self.number("eps", 1e-5), affine=False
        )  # fmt: skip
        if result is not None:
            self.norms[result.index] = result
        return result

    def scale(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if len(bottoms) > 1:
            return self.broadcast(layer, bottoms)
        if self.whole("axis", 1) != 1 or self.whole("num_axes", 1) != 1:
            self.unsaid(layer, "it scales along another axis", bottoms)
            return None
        bias = self.flag("bias_term", False)
        alone = source is not None and source is self.builder.layers[-1]
        if source is not None and source.index in self.norms and bias and alone:
            # A batch norm without its own scale, then this: one batch norm.
            source.op = source.op.replace(affine=True)
            del self.norms[source.index]
            return source
        result = self.add("scale", layer, source, per="channel")
        return self.add("bias", layer, result, per="channel") if bias else result

    def broadcast(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        shapes = [bottom.shape for bottom in bottoms if bottom is not None]
        narrow = len(shapes) == 2 and (shapes[1][:1] == shapes[0][:1])
        if len(shapes) == 2 and not narrow:
            self.unsaid(layer, "it scales along another axis", bottoms)
            return None
        return self.add("mul", layer, *bottoms)

    def bias(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        if len(bottoms) > 1 or self.whole("axis", 1) != 1:
            self.unsaid(layer, "it adds along another axis", bottoms)
            return None
        return self.add("bias", layer, bottoms[0], per="channel")

    def concat(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        if self.whole("axis", self.whole("concat_dim", 1)) != 1:
            self.unsaid(layer, "it concatenates along another axis", bottoms)
            return None
        return bottoms[0] if len(bottoms) == 1 else self.add("concat", layer, *bottoms)

    def eltwise(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        words = {
            "PROD": "mul",
            "0": "mul",
            "SUM": "add",
            "1": "add",
            "MAX": "maximum",
            "2": "maximum",
        }
        name = self.word("operation", "SUM")
        if name not in words:
            self.unsaid(layer, f"the language has no operation {name[:20]}", bottoms)
            return None
        if len({bottom.shape for bottom in bottoms if bottom is not None}) > 1:
            self.builder.mistake("shape", "the maps that this merges differ in shape", layer.span)
            return None
        terms = list(bottoms)
        factors = [field.value for field in self.parameters.all("coeff")]
        for index, factor in enumerate(factors[: len(terms)]):
            if isinstance(factor, (int, float)) and factor != 1:
                terms[index] = self.add("scale_by", layer, terms[index], factor=float(factor))
        return terms[0] if len(terms) == 1 else self.add(words[name], layer, *terms)

    def slice(self, layer: _Layer, bottoms: Sequence[Result]) -> list[Result]:
        self.parameters = layer.message.message("slice_param")
        source, count = bottoms[0], len(layer.tops)
        if self.whole("axis", self.whole("slice_dim", 1)) != 1:
            self.unsaid(layer, "it divides another axis", bottoms)
            return [None] * count
        if source is None:
            return [None] * count
        points = [self.int_of(field) for field in self.parameters.all("slice_point")]
        channels = source.shape[0]
        if not points and count and channels % count == 0:
            points = [channels // count * n for n in range(1, count)]
        ends = [0, *points, channels]
        if len(ends) != count + 1 or any(b <= a for a, b in pairwise(ends)):
            text = f"{channels} channels are not divided among {count} tops"
            self.builder.mistake("prototxt", text, layer.span)
            return [None] * count
        return [self.add("slice", layer, source, channels=(a, b)) for a, b in pairwise(ends)]

    def dropout(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        return self.add("dropout", layer, bottoms[0], p=self.number("dropout_ratio", 0.5))

    def softmax(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if self.whole("axis", 1) != 1:
            self.unsaid(layer, "it works along another axis", bottoms)
            return None
        if source is not None and axes_of(source.shape) and max(source.shape[1:]) == 1:
            source = self.builder.flat(source, layer.span)
        return self.add("softmax", layer, source)

    def flatten(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        if self.whole("axis", 1) != 1 or self.number("end_axis", -1) not in (-1, 3):
            self.unsaid(layer, "it flattens some axes only", bottoms)
            return None
        return self.builder.flat(bottoms[0], layer.span)

    def plain(self, layer: _Layer, bottoms: Sequence[Result]) -> Result:
        return self.add(PLAIN[layer.word], layer, bottoms[0])

    # ---- outputs ----

    def finished(self) -> Graph:
        builder = self.builder
        ends: dict[int, tuple[Result, str]] = {}
        lost = {result.index for _, result, _ in self.losses if result is not None}
        for name, blob in self.blobs.items():
            if blob is not None and name not in self.used and blob.index not in lost:
                ends[blob.index] = blob, name
        for index, layer in builder.ends.items():
            ends.setdefault(index, (layer, layer.name))
        ends.pop(0, None)
        outputs: list[GraphOutput] = []
        main = [loss for loss in self.losses if loss[1] is not None]
        heaviest = max([loss[0] for loss in main], default=0.0)
        for weight, result, name in main:
            assert result is not None
            last = result is main[-1][1]
            aux = None if weight == heaviest or last else weight
            # The same scores may also be an output of their own, as probabilities.
            if not (last and ends and self.builder.unsaid == []):
                outputs.append(GraphOutput(result, name, aux))
        outputs += [
            GraphOutput(result, name) for _, (result, name) in sorted(ends.items()) if result
        ]
        outputs = [output for output in outputs if output.layer.index > 0]
        outputs.sort(key=lambda output: (output.aux is None, output.layer.index))
        if outputs:
            end = outputs[-1].layer
            if end.op.word == "pool avg" and {*end.shape[1:]} == {1}:
                flat = builder.flat(end, end.span)
                if flat is not None:
                    outputs[-1] = outputs[-1]._replace(layer=flat)
        elif not builder.mistakes and not builder.unsaid:
            builder.mistake("prototxt", "this network has no layers", self.start)
        title = self.message.first("name")
        name = self.source.name.replace("\\", "/").rpartition("/")[2].rsplit(".", 1)[0]
        return builder.finished(str(title.value) if title is not None else name, outputs)


PLAIN = {
    "sigmoid": "sigmoid", "tanh": "tanh", "absval": "abs", "bnll": "softplus", "swish": "silu",
    "mish": "mish", "relu6": "relu6", "hardsigmoid": "hardsigmoid", "hardswish": "hardswish",
}  # fmt: skip

READERS: dict[str, tuple[str, Callable[[_Reader, _Layer, Sequence[Result]], Result]]] = {
    "convolution": ("convolution_param", _Reader.convolution),
    "deconvolution": ("convolution_param", _Reader.deconvolution),
    "convolutiondepthwise": ("convolution_param", _Reader.depthwise),
    "depthwiseconvolution": ("convolution_param", _Reader.depthwise),
    "pooling": ("pooling_param", _Reader.pooling),
    "innerproduct": ("inner_product_param", _Reader.inner_product),
    "relu": ("relu_param", _Reader.relu),
    "prelu": ("prelu_param", _Reader.prelu),
    "elu": ("elu_param", _Reader.elu),
    "power": ("power_param", _Reader.power),
    "lrn": ("lrn_param", _Reader.lrn),
    "batchnorm": ("batch_norm_param", _Reader.batch_norm),
    "scale": ("scale_param", _Reader.scale),
    "bias": ("bias_param", _Reader.bias),
    "concat": ("concat_param", _Reader.concat),
    "eltwise": ("eltwise_param", _Reader.eltwise),
    "dropout": ("dropout_param", _Reader.dropout),
    "softmax": ("softmax_param", _Reader.softmax),
    "flatten": ("flatten_param", _Reader.flatten),
    **dict.fromkeys(PLAIN, ("", _Reader.plain)),
}
"""For each kind of layer, its message of parameters and how it is read."""


def _pooled(side: int, numbers: Sequence[int], up: bool) -> int:
    """How many windows Caffe counts along a side."""
    kernel, stride, pad = numbers[0], max(numbers[1], 1), numbers[2]
    room = side + 2 * pad - kernel
    count = (-(-room // stride) if up else room // stride) + 1
    if pad and (count - 1) * stride >= side + pad:
        count -= 1
    return count


def _why(word: str) -> str:
    from ..language import foreign

    meaning = foreign.layer(word)
    return meaning.advice if meaning and meaning.advice else "the language has no such layer"
