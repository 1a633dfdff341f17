"""The layers of Caffe in our words: each is a method that reads its message of parameters. What the
file around them says (blobs, phases, inputs, losses) is read by caffe.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ..language import foreign
from ..ops import REGISTRY
from ..shapes import Shape, ShapeError, axes_of, size
from .alignment import offsets
from .caffe_values import CaffeLayer, Values
from .graph import Layer, Result, Stored

DETECTION = frozenset(
    "detectionoutput proposal roipooling psroipooling region yolo yolov3detectionoutput"
    " detectionevaluate multiboxloss".split()
)
FILTERS = ("weight", "bias")
FACTOR = "factor"
"""What Caffe divides running averages by: no weight of ours."""
BLOBS = {"running_mean": "mean", "running_var": "variance"}
_BOXES = "boxes are decoded outside of the network"


class LayerReader(Values):
    """Adds layers to a graph; the parameters are those of the layer that is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.norms: dict[int, Layer] = {}
        """Batch norms that a `Scale` may follow, which then belongs to them."""
        self.before_scale: set[str] = set()
        """Blobs of batch norms without the scale that has become a part of them."""
        self.stored: list[Stored] = []

    def unsaid(self, layer: CaffeLayer, why: str, inputs: Sequence[Result]) -> None:
        self.builder.cannot_say(layer.kind, why, layer.span, inputs)

    def add(self, word: str, layer: CaffeLayer, *inputs: Result, **given: object) -> Result:
        return self.builder.add(word, inputs, layer.name, layer.span, **given)

    def store(
        self, layer: CaffeLayer, result: Result, keys: Sequence[str], *, turned: bool = False
    ) -> Result:
        """Says that a layer's weights are its blobs, in this order, those that it has; a matrix is
        turned if it is inputs x outputs there."""
        wanted = result.wanted if result is not None else {}
        for position, key in enumerate(keys):
            if result is not None and key in wanted:
                shape = wanted[key][::-1] if turned and key == "weight" else wanted[key]
                name = BLOBS.get(key, key)
                axes = (1, 0) if turned and key == "weight" else ()
                self.stored.append(
                    Stored(result, key, (layer.name,), (), position, name, shape, axes)
                )
        return result

    def axis(self, source: Result, usual: int, *names: str) -> int | None:
        """An axis of a map, where 0 is the channels; None for that of the batch, or if it has no
        such axis."""
        field = self.parameters.first(*(names or ("axis",)))
        value = usual if field is None else field.value
        if source is None or not isinstance(value, int):
            return None
        at = value - 1 if value >= 0 else value + len(source.shape)
        return at if 0 <= at < len(source.shape) else None

    def in_front(self, layer: CaffeLayer, source: Result, axis: int) -> Result:
        """An axis in the place of the channels, and the channels in its place."""
        if source is None or axis == 0:
            return source
        order = list(range(len(source.shape)))
        order[0], order[axis] = order[axis], order[0]
        return self.add("permute", layer, source, axes=tuple(order))

    # ---- convolutions ----

    def convolution(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        result = self.add("conv", layer, bottoms[0], **self.filters(layer, bottoms[0]))
        return self.store(layer, result, FILTERS)

    def deconvolution(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        result = self.add("deconv", layer, bottoms[0], **self.filters(layer, bottoms[0]))
        return self.store(layer, result, FILTERS)

    def depthwise(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        given = self.filters(layer, source)
        if source is not None:
            given["groups"] = source.shape[0]
        return self.store(layer, self.add("conv", layer, source, **given), FILTERS)

    def filters(self, layer: CaffeLayer, source: Result) -> dict[str, Any]:
        return {
            "out": self.outputs_of(layer),
            "kernel": self.sides("kernel", 1, source, "kernel_size"),
            "stride": self.sides("stride", 1, source),
            "pad": self.sides("pad", 0, source),
            "dilation": self.sides("dilation", 1, source),
            "groups": self.whole("group", 1),
            "bias": self.flag("bias_term", True),
        }

    def outputs_of(self, layer: CaffeLayer) -> int:
        if self.parameters.first("num_output") is None:
            text = f"`{layer.name}` has no num_output"
            self.builder.mistake("prototxt", text, layer.span)
        return self.whole("num_output", 1)

    # ---- pooling ----

    def pooling(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        kinds = {"MAX": "pool max", "0": "pool max", "AVE": "pool avg", "1": "pool avg"}
        name = self.word("pool", "MAX")
        if name not in kinds:
            self.unsaid(layer, f"the language has no pooling {name[:20]}", bottoms)
            return None
        if len(layer.tops) > 1:
            self.unsaid(layer, "it gives the places of the largest, too", bottoms)
            return None
        if self.flag("global_pooling"):
            return self.add(kinds[name], layer, source, **{"global": True})
        if source is None or not axes_of(source.shape):
            return self.add(kinds[name], layer, source, kernel=(1, 1))
        up = self.word("round_mode", "CEIL") in ("CEIL", "0") and self.flag("ceil_mode", True)
        given: dict[str, Any] = {
            "kernel": self.sides("kernel", 1, source, "kernel_size"),
            "stride": self.sides("stride", 1, source),
            "pad": self.sides("pad", 0, source),
            "ceil": up,
        }
        sizes = zip(source.shape[1:], given["kernel"], given["stride"], given["pad"], strict=False)
        wanted = tuple([_pooled(side, numbers, up) for side, *numbers in sizes])
        op = REGISTRY[kinds[name]].make(**given)
        try:
            if op.output(source.shape)[1:] != wanted:
                self.unsaid(layer, "its last window begins behind the map", bottoms)
                return None
        except (ShapeError, ZeroDivisionError, ValueError):
            pass  # said when it is added
        return self.add(kinds[name], layer, source, **given)

    def reduction(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """The mean over all places is a global pool."""
        axis = self.axis(bottoms[0], 0)
        if self.word("operation", "SUM") not in ("MEAN", "4") or axis != 1:
            self.unsaid(layer, "it is not the mean of each channel", bottoms)
            return None
        scale = self.number("coeff", 1.0)
        result = self.add("pool avg", layer, bottoms[0], **{"global": True})
        if scale != 1.0:
            result = self.add("scale_by", layer, result, factor=scale)
        return self.builder.flat(result, layer.span)

    # ---- fully connected, activations ----

    def inner_product(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if self.whole("axis", 1) != 1:
            self.unsaid(layer, "it works along another axis", bottoms)
            return None
        flat = self.builder.flat(bottoms[0], layer.span)
        bias = self.flag("bias_term", True)
        result = self.add("fc", layer, flat, out=self.outputs_of(layer), bias=bias)
        return self.store(layer, result, FILTERS, turned=self.flag("transpose"))

    def relu(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        slope = self.number("negative_slope", 0.0)
        if slope:
            return self.add("leaky", layer, bottoms[0], slope=slope)
        return self.add("relu", layer, bottoms[0])

    def prelu(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        per = "layer" if self.flag("channel_shared") else "channel"
        return self.store(layer, self.add("prelu", layer, bottoms[0], per=per), ["weight"])

    def elu(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        return self.add("elu", layer, bottoms[0], alpha=self.number("alpha", 1.0))

    def power(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
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

    def swish(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if self.number("beta", 1.0) != 1.0:
            self.unsaid(layer, "its beta is not 1", bottoms)
            return None
        return self.add("silu", layer, bottoms[0])

    def clip(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if (self.number("min", 0.0), self.number("max", 0.0)) != (0.0, 6.0):
            self.unsaid(layer, "it cuts off at other numbers than 0 and 6", bottoms)
            return None
        return self.add("relu6", layer, bottoms[0])

    # ---- normalization, scale and bias ----

    def lrn(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if self.word("norm_region", "ACROSS_CHANNELS") not in ("ACROSS_CHANNELS", "0"):
            self.unsaid(layer, "it normalizes within channels", bottoms)
            return None
        return self.add(
            "lrn", layer, bottoms[0],
            size=self.whole("local_size", 5), alpha=self.number("alpha", 1.0),
            beta=self.number("beta", 0.75), k=self.number("k", 1.0),
        )  # fmt: skip

    def batch_norm(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        own = self.flag("scale_bias") or self.parameters.first("scale_filler") is not None
        if not self.flag("use_global_stats", True):
            text = "`use_global_stats: false`: batch norms use their running averages here"
            self.builder.remarks.append(text)
        result = self.add("bn", layer, bottoms[0], eps=self.number("eps", 1e-5), affine=own)
        if result is not None and not own:
            self.norms[result.index] = result
        return self.store(layer, result, ["running_mean", "running_var", FACTOR, "weight", "bias"])

    def bn(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """A batch norm with its scale, as PSPNet and SegNet have it. In SegNet's inference, what it
        normalizes by has become a part of the scale."""
        if self.word("bn_mode", "LEARN") in ("INFERENCE", "1"):
            return self.scaled(layer, bottoms[0], True)
        result = self.add("bn", layer, bottoms[0], eps=self.number("eps", 1e-5))
        return self.store(layer, result, ["weight", "bias", "running_mean", "running_var"])

    def scaled(self, layer: CaffeLayer, source: Result, bias: bool) -> Result:
        """With a learned factor for each channel, and an offset if there is one."""
        result = self.store(
            layer, self.add("scale", layer, source, per="channel"), ["weight"]
        )  # fmt: skip
        if not bias:
            return result
        return self.store(layer, self.add("bias", layer, result, per="channel"), ["", "bias"])

    def scale(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if len(bottoms) > 1:
            result = self.broadcast(layer, bottoms)
            if not self.flag("bias_term"):
                return result
            return self.store(layer, self.add("bias", layer, result, per="channel"), ["bias"])
        if self.axis(source, 1) != 0 or self.whole("num_axes", 1) != 1:
            self.unsaid(layer, "it scales along another axis", bottoms)
            return None
        bias = self.flag("bias_term", False)
        alone = source is not None and source is self.builder.layers[-1]
        if source is not None and source.index in self.norms and bias and alone:
            # A batch norm without its own scale, then this: one batch norm.
            source.op = source.op.replace(affine=True)
            del self.norms[source.index]
            names = [str(field.value) for field in layer.bottoms[:1]]
            self.before_scale.update(names)
            return self.store(layer, source, ["weight", "bias"])
        return self.scaled(layer, source, bias)

    def broadcast(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """A map, scaled by a vector with a number for each channel or by another map."""
        source, by = bottoms[0], bottoms[1]
        if source is None or by is None:
            return self.add("mul", layer, *bottoms)
        if by.shape not in (source.shape, source.shape[:1], (source.shape[0], 1, 1)):
            self.unsaid(layer, "it scales along another axis", bottoms)
            return None
        return self.add("mul", layer, source, by)

    def axpy(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """a * x + y, with a number of a for each channel, as in SENet."""
        if len(bottoms) != 3:
            self.builder.mistake("prototxt", "an Axpy has three bottoms", layer.span)
            return None
        factor, source, other = bottoms
        return self.add("add", layer, self.broadcast(layer, [source, factor]), other)

    def bias(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if len(bottoms) > 1 or self.axis(bottoms[0], 1) != 0 or self.whole("num_axes", 1) != 1:
            self.unsaid(layer, "it adds along another axis", bottoms)
            return None
        return self.store(layer, self.add("bias", layer, bottoms[0], per="channel"), ["bias"])

    # ---- several maps ----

    def concat(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if len(bottoms) == 1:
            return bottoms[0]
        axis = self.axis(bottoms[0], 1, "axis", "concat_dim")
        if axis is None and bottoms[0] is not None:
            self.unsaid(layer, "it concatenates along another axis", bottoms)
            return None
        parts = [self.in_front(layer, bottom, axis or 0) for bottom in bottoms]
        return self.in_front(layer, self.add("concat", layer, *parts), axis or 0)

    def eltwise(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
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

    def slice(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> list[Result]:
        self.parameters = layer.message.message("slice_param")
        source, count = bottoms[0], len(layer.tops)
        axis = self.axis(source, 1, "axis", "slice_dim")
        if source is None or axis is None or axis > 2 or len(source.shape) not in (1, 3):
            self.unsaid(layer, "it divides another axis", bottoms)
            return [None] * count
        points = [self.int_of(field) for field in self.parameters.all("slice_point")]
        whole = source.shape[axis]
        if not points and count and whole % count == 0:
            points = [whole // count * n for n in range(1, count)]
        ends = [0, *points, whole]
        if len(ends) != count + 1 or any(b <= a for a, b in pairwise(ends)):
            what = ("channels", "rows", "columns")[axis]
            text = f"{whole} {what} are not divided among {count} tops"
            self.builder.mistake("prototxt", text, layer.span)
            return [None] * count
        if axis == 0:
            return [self.add("slice", layer, source, channels=(a, b)) for a, b in pairwise(ends)]
        names = (("top", "bottom"), ("left", "right"))[axis - 1]
        parts: list[Result] = []
        for a, b in pairwise(ends):
            cut = {name: off for name, off in zip(names, (a, whole - b), strict=True) if off}
            parts.append(self.add("crop", layer, source, **cut) if cut else source)
        return parts

    def crop(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """A part of the first map, of the size of the second."""
        if len(bottoms) != 2:
            self.builder.mistake("prototxt", "a Crop has two bottoms", layer.span)
            return None
        source, like = bottoms
        if source is None or like is None:
            return self.add("crop", layer, source, like, to=(1, 1))
        axis = self.axis(source, 2)
        if len(source.shape) != 3 or len(like.shape) != 3 or axis is None:
            self.unsaid(layer, "it crops other maps than images", bottoms)
            return None
        fields = self.parameters.all("offset")
        if layer.message.by_name.get("crop_param"):
            given = [self.int_of(field) for field in fields] or [0]
            starts = given * (3 - axis) if len(given) == 1 else given
        else:  # the first version of this layer, which finds out by itself
            found = offsets(source, like)
            if found is None:
                self.unsaid(layer, "where one map lies on the other is not clear", bottoms)
                return None
            starts = list(found)
        if len(starts) != 3 - axis:
            text = f"{len(starts)} offsets for {3 - axis} axes"
            self.builder.mistake("prototxt", text, layer.span)
            return None
        result: Result = source
        if axis == 0:
            channels = (starts[0], starts[0] + like.shape[0])
            result = self.add("slice", layer, result, channels=channels)
            starts = starts[1:]
        top, left = starts if len(starts) == 2 else (0, starts[0])
        sides = (like.shape[1] if axis < 2 else source.shape[1], like.shape[2])
        return self.add("crop", layer, result, to=sides, top=top, left=left)

    # ---- shapes ----

    def reshape(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        fields = self.parameters.message("shape").all("dim")
        if source is None:
            return None
        values = [field.value if isinstance(field.value, int) else -2 for field in fields]
        before: list[int] = [0, *source.shape]
        start = self.whole("axis", 0) if isinstance(self.number("axis", 0), float) else 0
        count = int(self.number("num_axes", -1))
        end = len(before) if count < 0 else start + count
        wanted = [*before[:start], *values, *before[end:]]
        shape = [before[n] if n < len(before) and not size else size
                 for n, size in enumerate(wanted[1:], 1)]  # fmt: skip
        batch = wanted[:1] in ([0], [1]) or (wanted[:1] == [-1] and -1 not in shape)
        if not batch or min(shape, default=-2) < -1 or shape.count(-1) > 1 or 0 in shape:
            self.unsaid(layer, "it mixes the images of a batch", bottoms)
            return None
        if -1 in shape:
            known = -size(tuple(shape))
            shape[shape.index(-1)] = size(source.shape) // max(known, 1)
        return self.reshaped(layer, source, tuple(shape))

    def reshaped(self, layer: CaffeLayer, source: Layer, shape: Shape) -> Result:
        if shape == source.shape:
            return source
        before = source.inputs[0] if source.inputs else None
        if before is not None and source.op.word == "permute" and before.op.word == "reshape":
            # Groups of channels, exchanged with what is in each of them: a shuffle.
            groups, order = before.shape, getattr(source.op, "axes", ())
            original = before.inputs[0]
            apart = len(groups) == len(shape) + 1 and groups[2:] == shape[1:]
            if apart and tuple(order)[:2] == (1, 0) and shape == original.shape:
                return self.add("shuffle", layer, original, groups=groups[0])
        if len(shape) == 1:
            return self.builder.flat(source, layer.span)
        return self.add("reshape", layer, source, to=shape)

    def flatten(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if source is None:
            return None
        first = self.axis(source, 1)
        last = self.axis(source, -1, "end_axis")
        if first is None or last is None or last < first:
            self.unsaid(layer, "it mixes the images of a batch", bottoms)
            return None
        shape = source.shape
        together = size(shape[first : last + 1])
        return self.reshaped(layer, source, (*shape[:first], together, *shape[last + 1 :]))

    def permute(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if source is None:
            return None
        order = [self.int_of(field) for field in self.parameters.all("order")]
        order += [axis for axis in range(len(source.shape) + 1) if axis not in order]
        if order[0] != 0 or sorted(order) != list(range(len(source.shape) + 1)):
            self.unsaid(layer, "it moves the axis of the batch", bottoms)
            return None
        axes = tuple([axis - 1 for axis in order[1:]])
        return (
            source if axes == tuple(sorted(axes)) else self.add("permute", layer, source, axes=axes)
        )

    def shuffle(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        return self.add("shuffle", layer, bottoms[0], groups=self.whole("group", 1))

    def interp(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """Bilinear, with the corners of both maps on one another."""
        source = bottoms[0]
        if source is None or len(source.shape) != 3:
            return self.add("upsample", layer, source, factor=(2, 2))
        cut = [self.parameters.first(name) for name in ("pad_beg", "pad_end")]
        if any(field is not None and field.value != 0 for field in cut):
            self.unsaid(layer, "it cuts off a border", bottoms)
            return None
        sides = list(source.shape[1:])
        if len(bottoms) > 1 and bottoms[1] is not None:
            sides = list(bottoms[1].shape[1:])
        shrink, zoom = self.whole("shrink_factor", 1), self.whole("zoom_factor", 1)
        sides = [(side - 1) // max(shrink, 1) + 1 for side in sides]
        sides = [side + (side - 1) * (zoom - 1) for side in sides]
        sides = [
            self.whole(name, side) or side
            for name, side in zip(("height", "width"), sides, strict=True)
        ]
        return self.add(
            "upsample", layer, source, to=tuple(sides), mode="bilinear", align_corners=True
        )

    def upsample(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        if len(layer.bottoms) > 1:
            self.unsaid(layer, "it puts each number where the largest was before pooling", bottoms)
            return None
        factor = self.whole("scale", self.whole("stride", 2))
        return self.add("upsample", layer, bottoms[0], factor=(factor, factor))

    # ---- others ----

    def prior_boxes(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        """They depend on the sizes of maps alone."""
        self.unsaid(layer, _BOXES, [])
        return None

    def dropout(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        return self.add("dropout", layer, bottoms[0], p=self.number("dropout_ratio", 0.5))

    def softmax(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        source = bottoms[0]
        if source is None:
            return None
        axis = self.axis(source, 1)
        if axis is None:
            self.unsaid(layer, "it works along another axis", bottoms)
            return None
        if axes_of(source.shape) and max(source.shape[1:]) == 1:
            source = self.builder.flat(source, layer.span)
        front = self.in_front(layer, source, axis)
        return self.in_front(layer, self.add("softmax", layer, front), axis)

    def plain(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> Result:
        return self.add(PLAIN[layer.word], layer, bottoms[0])


PLAIN = {
    "sigmoid": "sigmoid", "tanh": "tanh", "absval": "abs", "bnll": "softplus", "mish": "mish",
    "relu6": "relu6", "hardsigmoid": "hardsigmoid", "hardswish": "hardswish",
}  # fmt: skip

READERS: dict[str, tuple[str, Callable[[LayerReader, CaffeLayer, Sequence[Result]], Result]]] = {
    "convolution": ("convolution_param", LayerReader.convolution),
    "deconvolution": ("convolution_param", LayerReader.deconvolution),
    "convolutiondepthwise": ("convolution_param", LayerReader.depthwise),
    "depthwiseconvolution": ("convolution_param", LayerReader.depthwise),
    "pooling": ("pooling_param", LayerReader.pooling),
    "reduction": ("reduction_param", LayerReader.reduction),
    "innerproduct": ("inner_product_param", LayerReader.inner_product),
    "relu": ("relu_param", LayerReader.relu),
    "prelu": ("prelu_param", LayerReader.prelu),
    "elu": ("elu_param", LayerReader.elu),
    "swish": ("swish_param", LayerReader.swish),
    "clip": ("clip_param", LayerReader.clip),
    "power": ("power_param", LayerReader.power),
    "lrn": ("lrn_param", LayerReader.lrn),
    "batchnorm": ("batch_norm_param", LayerReader.batch_norm),
    "bn": ("bn_param", LayerReader.bn),
    "scale": ("scale_param", LayerReader.scale),
    "axpy": ("", LayerReader.axpy),
    "bias": ("bias_param", LayerReader.bias),
    "concat": ("concat_param", LayerReader.concat),
    "eltwise": ("eltwise_param", LayerReader.eltwise),
    "crop": ("crop_param", LayerReader.crop),
    "reshape": ("reshape_param", LayerReader.reshape),
    "flatten": ("flatten_param", LayerReader.flatten),
    "permute": ("permute_param", LayerReader.permute),
    "shufflechannel": ("shuffle_channel_param", LayerReader.shuffle),
    "interp": ("interp_param", LayerReader.interp),
    "upsample": ("upsample_param", LayerReader.upsample),
    "priorbox": ("prior_box_param", LayerReader.prior_boxes),
    "dropout": ("dropout_param", LayerReader.dropout),
    "softmax": ("softmax_param", LayerReader.softmax),
    **dict.fromkeys(PLAIN, ("", LayerReader.plain)),
}
"""For each kind of layer, its message of parameters and how it is read."""


def why(layer: CaffeLayer) -> str:
    """Why there is no reader for a layer."""
    if layer.word in DETECTION:
        return _BOXES
    if layer.word == "python":
        message = layer.message.message("python_param")
        names = [message.first(name) for name in ("module", "layer")]
        called = ".".join(str(field.value) for field in names if field is not None)
        return f"it runs Python code, `{called[:60]}`"
    meaning = foreign.layer(layer.word)
    return meaning.advice if meaning and meaning.advice else "the language has no such layer"


def _pooled(side: int, numbers: Sequence[int], up: bool) -> int:
    """How many windows Caffe counts along a side."""
    kernel, stride, pad = numbers[0], max(numbers[1], 1), numbers[2]
    room = side + 2 * pad - kernel
    count = (-(-room // stride) if up else room // stride) + 1
    if pad and (count - 1) * stride >= side + pad:
        count -= 1
    return count
