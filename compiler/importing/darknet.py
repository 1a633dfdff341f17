"""Reads networks of Darknet: `.cfg`, sections such as `[convolutional]` with lines `filters=32`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ..language import foreign
from ..ops import REGISTRY
from ..shapes import Shape, ShapeError, size
from .graph import Graph, GraphBuilder, GraphOutput, Result, Stored
from .readers import Given

_LINE = re.compile(r"[^\r\n]+")
_SECTION = re.compile(r"\[([^\]]*)\]\s*(?:[#;].*)?\Z")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}\Z")
MAX_SECTIONS = 50_000

ACTIVATIONS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "linear": [],
    "leaky": [("leaky", {"slope": 0.1})],
    "relie": [("leaky", {"slope": 0.01})],
    "relu": [("relu", {})],
    "relu6": [("relu6", {})],
    "logistic": [("sigmoid", {})],
    "tanh": [("tanh", {})],
    "elu": [("elu", {})],
    "selu": [("selu", {})],
    "gelu": [("gelu", {"approximate": "tanh"})],
    "mish": [("mish", {})],
    "swish": [("silu", {})],
    "loggy": [("scale_by", {"factor": 0.5}), ("tanh", {})],
    "hardtan": [
        ("scale_by", {"factor": 3.0}), ("hardsigmoid", {}), ("scale_by", {"factor": 2.0}),
        ("offset_by", {"offset": -1.0}),
    ],
}  # fmt: skip
"""Darknet's activations in our words; `ramp` is a sum, and some, such as `stair`, have none."""

LAYOUT = (
    "Images come in as RGB from 0 to 1, as in Darknet",
    "the eps of batch norms is that of Darknet on a GPU, 1e-5",
)

TRAINING_ONLY = {"cost": "a loss", "data": "the data"}
DETECTION = frozenset("yolo region detection iseg gaussian_yolo".split())
RECURRENT = frozenset("rnn crnn lstm gru conv_lstm history".split())
OF_ITS_OWN = {
    "binary": "its weights are binary", "xnor": "its weights are binary",
    "antialiasing": "it is followed by a blur", "deform": "its filters are deformed",
    "share_index": "it shares the weights of another layer", "sway": "its filters are turned",
    "rotate": "its filters are turned", "stretch": "its filters are stretched",
    "stretch_sway": "its filters are turned",
}  # fmt: skip
"""Settings of convolutions that the language has nothing for."""


class Value(NamedTuple):
    text: str
    span: Span


class Section:
    """A section: its kind, and its settings with their places."""

    def __init__(self, kind: str, span: Span) -> None:
        self.kind = kind
        self.span = span
        self.values: dict[str, Value] = {}


def read_darknet(given: Given) -> Graph:
    """The network of a `.cfg`."""
    return _Reader(given.source, given.input_shape).read()


def _sections(source: Source) -> list[Section]:
    found: list[Section] = []
    for match in _LINE.finditer(source.text):
        line = match.group().strip()
        if not line or line[0] in "#;":
            continue
        start = match.start() + match.group().index(line)
        span = Span(source, start, start + len(line))
        opened = _SECTION.match(line)
        if opened:
            kind = opened.group(1).strip().lower()
            found.append(Section(kind, Span(source, start, start + opened.end(1) + 1)))
            if len(found) > MAX_SECTIONS:
                raise SpecError([Diagnostic("limit", f"more than {MAX_SECTIONS:,} sections", span)])
            continue
        name, equals, value = line.partition("=")
        if not equals or not found:
            help = "a line is `[layer]`, or `name=value` below one"
            raise SpecError(
                [Diagnostic("darknet", "this is not a line of a .cfg", span, help=help)]
            )
        found[-1].values[name.strip()] = Value(value.strip(), span)
    return found


class _Reader:
    def __init__(self, source: Source, input_shape: Shape | None) -> None:
        self.source = source
        self.given = input_shape
        self.builder = GraphBuilder()
        self.results: list[Result] = []
        """What each section gives, in order; a section counts from 0 after `[net]`."""
        self.stored: list[Stored] = []
        self.lost = False
        """Whether a section with weights was left out, so that no one knows where others begin."""

    def read(self) -> Graph:
        sections = _sections(self.source)
        place = Span(self.source, 0, 0)
        if not sections or sections[0].kind not in ("net", "network"):
            help = "the first section of a .cfg is [net], with height, width and channels"
            at = sections[0].span if sections else place
            raise SpecError(
                [Diagnostic("darknet", "this does not begin with [net]", at, help=help)]
            )
        net, *layers = sections
        result = self.input(net, layers)
        readers: dict[str, Callable[[Section, Result], Result]] = {
            "convolutional": self.convolutional, "conv": self.convolutional,
            "maxpool": self.maxpool, "max": self.maxpool,
            "avgpool": self.avgpool, "avg": self.avgpool,
            "connected": self.connected, "conn": self.connected,
            "shortcut": self.shortcut, "route": self.route, "upsample": self.upsample,
            "dropout": self.dropout, "softmax": self.softmax, "soft": self.softmax,
            "activation": self.activation_layer, "batchnorm": self.batchnorm,
            "normalization": self.lrn, "lrn": self.lrn,
            "local_avgpool": self.local_avgpool, "logistic": self.logistic,
            "deconvolutional": self.deconvolutional, "deconv": self.deconvolutional,
            "reorg": self.reorg, "reorg_old": self.reorg, "reorg3d": self.reorg3d,
            "scale_channels": self.multiplied, "sam": self.multiplied,
            "empty": self.empty, "silence": self.empty,
        }  # fmt: skip
        for section in layers:
            if section.kind in TRAINING_ONLY:
                self.builder.remarks.append(f"[{section.kind}] is {TRAINING_ONLY[section.kind]}")
            elif section.kind != "crop":
                reader = readers.get(section.kind)
                if reader is not None:
                    result = reader(section, result)
                else:
                    self.unsaid(section, _why(section.kind), result)
                    result = None
                    self.lost |= section.kind not in DETECTION
            self.results.append(result)
        return self.finished(result, net)

    def finished(self, last: Result, net: Section) -> Graph:
        builder = self.builder
        if last is not None and last.op.word == "pool avg" and {*last.shape[1:]} == {1}:
            last = builder.flat(last, last.span)
        ends = [each for n, each in sorted(builder.ends.items()) if n > 0 and each is not last]
        outputs = [GraphOutput(layer, f"output{n}") for n, layer in enumerate(ends, 1)]
        if last is not None and last.index > 0:
            outputs.append(GraphOutput(last, "main"))
        if not outputs and not builder.mistakes and not builder.unsaid:
            builder.mistake("darknet", "this network has no layers", net.span)
        name = self.source.name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        graph = builder.finished(name, outputs)
        return graph._replace(stored=tuple(self.stored), layout=LAYOUT if self.stored else ())

    # ---- weights ----

    def store(self, section: Section, *parts: tuple[Result, str, str]) -> None:
        """Weights in the order in which a file has them: the layer, the key there, and Darknet's
        name; the layer is None where a part is left out."""
        owner = f"[{section.kind}] in line {section.span.line}"
        for layer, key, name in parts:
            if layer is not None and not self.lost:
                shape = layer.wanted[key]
                number = len(self.stored)
                self.stored.append(Stored(layer, key, (owner,), (), number, name, shape))

    def store_layer(self, section: Section, layer: Result, norm: Result) -> None:
        """The weights of a convolution or a fully connected layer, and of its batch norm."""
        if layer is None:
            self.lost = True
            return
        biases = (norm, "bias", "biases") if norm is not None else (layer, "bias", "biases")
        normed = (
            (norm, "weight", "scales"),
            (norm, "running_mean", "rolling_mean"),
            (norm, "running_var", "rolling_variance"),
        )
        weights = (layer, "weight", "weights")
        if layer.op.word == "fc":
            self.store(section, biases, weights, *normed)
        else:
            self.store(section, biases, *normed, weights)

    # ---- settings ----

    def whole(self, section: Section, name: str, usual: int, least: int = 0) -> int:
        value = section.values.get(name)
        if value is None:
            return usual
        if not _WHOLE.match(value.text) or int(value.text) < least:
            kind = f"a whole number of at least {least}" if least else "a whole number"
            self.builder.mistake("darknet", f"`{name}` is not {kind}", value.span)
            return max(usual, least)
        return int(value.text)

    def number(self, section: Section, name: str, usual: float) -> float:
        value = section.values.get(name)
        if value is None:
            return usual
        try:
            return float(value.text[:40])
        except ValueError:
            self.builder.mistake("darknet", f"`{name}` is not a number", value.span)
            return usual

    def unsaid(self, section: Section, why: str, *inputs: Result) -> None:
        self.builder.cannot_say(f"[{section.kind}]", why, section.span, inputs)

    # ---- layers ----

    def input(self, net: Section, layers: list[Section]) -> Result:
        shape: Shape
        if self.given is not None:
            shape = self.given
        else:
            missing = [n for n in ("channels", "height", "width") if n not in net.values]
            if missing and "inputs" not in net.values:
                help = "write --input 3x224x224"
                self.builder.mistake("darknet", f"[net] has no {missing[0]}", net.span, help)
                raise SpecError(self.builder.mistakes)
            channels, height, width = (
                self.whole(net, name, 1, 1) for name in ("channels", "height", "width")
            )
            shape = (channels, height, width)
            if missing:
                shape = (self.whole(net, "inputs", 1, 1),)
            elif layers and layers[0].kind == "crop":
                height = self.whole(layers[0], "crop_height", height, 1)
                width = self.whole(layers[0], "crop_width", width, 1)
                shape = (channels, height, width)
                self.builder.remarks.append("[crop] belongs to the data")
        return self.builder.input(shape, "", net.span)

    def add(self, word: str, section: Section, *inputs: Result, **given: object) -> Result:
        return self.builder.add(word, inputs, "", section.span, **given)

    def activated(self, section: Section, source: Result, usual: str) -> Result:
        value = section.values.get("activation")
        name = value.text.lower() if value else usual
        if name == "ramp":
            parts = [
                self.add("relu", section, source),
                self.add("scale_by", section, source, factor=0.1),
            ]
            return self.add("add", section, *parts)
        known = ACTIVATIONS.get(name)
        if known is None:
            span = value.span if value else section.span
            why = f"the activation `{name}` is not one of the language"
            self.builder.cannot_say(f"activation={name}", why, span, [source])
            return None
        for word, given in known:
            source = self.add(word, section, source, **given)
        return source

    def convolutional(self, section: Section, source: Result) -> Result:
        size = self.whole(section, "size", 1, 1)
        stride = self.whole(section, "stride", 1, 1)
        strides = (
            self.whole(section, "stride_y", stride, 1),
            self.whole(section, "stride_x", stride, 1),
        )
        dilation = self.whole(section, "dilation", 1, 1)
        pad = self.whole(section, "padding", 0)
        if self.whole(section, "pad", 0):
            pad = size // 2 * dilation
        normed = bool(self.whole(section, "batch_normalize", 0))
        for flag, why in OF_ITS_OWN.items():
            if flag in section.values and (section.values[flag].text != "0" or "index" in flag):
                self.unsaid(section, why, source)
                self.lost = True
                return None
        result = self.add(
            "conv", section, source,
            out=self.whole(section, "filters", 1, 1), kernel=(size, size), stride=strides,
            pad=(pad, pad), dilation=(dilation, dilation),
            groups=self.whole(section, "groups", 1, 1), bias=not normed,
        )  # fmt: skip
        norm = self.add("bn", section, result) if normed else None
        self.store_layer(section, result, norm)
        return self.activated(section, norm if normed else result, "logistic")

    def maxpool(self, section: Section, source: Result) -> Result:
        if self.whole(section, "maxpool_depth", 0):
            self.unsaid(section, "it takes the largest of several channels", source)
            return None
        return self.pool("pool max", section, source)

    def local_avgpool(self, section: Section, source: Result) -> Result:
        return self.pool("pool avg", section, source, count_pad=False)

    def pool(self, word: str, section: Section, source: Result, **given: object) -> Result:
        if source is None or len(source.shape) != 3:
            return self.add(word, section, source, kernel=(1, 1))
        stride = self.whole(section, "stride", 1, 1)
        strides = (
            self.whole(section, "stride_y", stride, 1),
            self.whole(section, "stride_x", stride, 1),
        )
        size = self.whole(section, "size", stride, 1)
        padding = self.whole(section, "padding", size - 1)
        sides = source.shape[1:]
        wanted = tuple(
            [(side + padding - size) // step + 1 for side, step in zip(sides, strides, strict=True)]
        )
        window = {"kernel": (size, size), "stride": strides, **given}
        before = padding // 2
        paddings: tuple[dict[str, object], ...] = (
            {"pad": (before, before)},
            {"pad": (before, before), "ceil": True},
            {"same_upper": True},
        )
        for further in paddings:
            op: Any = REGISTRY[word].make(**window, **further)
            starts = op.sides(source.shape)
            if before <= size // 2 and all(side[0] == before for side in starts):
                fits = not further.get("same_upper") or size > 1
                if fits and min(wanted) > 0 and _sides(op, source.shape) == wanted:
                    return self.add(word, section, source, **window, **further)
        self.unsaid(
            section, f"its padding of {padding} cannot be said at {sides[0]}x{sides[1]}", source
        )
        return None

    def avgpool(self, section: Section, source: Result) -> Result:
        return self.add("pool avg", section, source, **{"global": True})

    def connected(self, section: Section, source: Result) -> Result:
        flat = self.builder.flat(source, section.span)
        normed = bool(self.whole(section, "batch_normalize", 0))
        out = self.whole(section, "output", 1, 1)
        result = self.add("fc", section, flat, out=out, bias=not normed)
        norm = self.add("bn", section, result) if normed else None
        self.store_layer(section, result, norm)
        return self.activated(section, norm if normed else result, "logistic")

    def reference(self, section: Section, text: str, span: Span) -> tuple[bool, Result]:
        """What a number such as `-3` or `61` refers to; False if nothing."""
        here = len(self.results)
        if not _WHOLE.match(text):
            self.builder.mistake("darknet", f"`{text[:20]}` is not the number of a layer", span)
            return False, None
        number = int(text)
        at = here + number if number < 0 else number
        if not 0 <= at < here:
            message = f"there is no layer {number} before this one, which is layer {here}"
            self.builder.mistake("darknet", message, span)
            return False, None
        return True, self.results[at]

    def shortcut(self, section: Section, source: Result) -> Result:
        value = section.values.get("from")
        if value is None:
            self.builder.mistake("darknet", "this [shortcut] has no `from`", section.span)
            return None
        terms = [source]
        for text in value.text.split(","):
            known, other = self.reference(section, text.strip(), value.span)
            if not known:
                return None
            terms.append(self.fitted(section, other, source))
        shapes = {term.shape for term in terms if term is not None}
        if len(shapes) > 1:
            self.unsaid(section, "it adds maps of shapes that do not fit", *terms)
            return None
        if section.values.get("weights_type", Value("none", section.span)).text != "none":
            self.unsaid(section, "its sum has learned weights", *terms)
            return None
        return self.activated(section, self.add("add", section, *terms), "linear")

    def fitted(self, section: Section, other: Result, to: Result) -> Result:
        """A map as `[shortcut]` adds it to one of another shape: only every second place of a
        larger one, only the channels that both have.
        """
        if other is None or to is None or other.shape == to.shape:
            return other
        if len(other.shape) != 3 or len(to.shape) != 3:
            return other
        step = max(other.shape[1] // to.shape[1], 1)
        if step > 1:
            strided = {"kernel": (1, 1), "stride": (step, step)}
            other = self.add("pool max", section, other, **strided)
        if other is None:
            return None
        channels, wanted = other.shape[0], to.shape[0]
        if channels > wanted:
            return self.add("slice", section, other, channels=(0, wanted))
        if wanted % channels or wanted == channels or wanted > 64 * channels:
            return other
        zeros = [
            self.add("scale_by", section, other, factor=0.0) for _ in range(wanted // channels - 1)
        ]
        return self.add("concat", section, other, *zeros)

    def route(self, section: Section, source: Result) -> Result:
        value = section.values.get("layers")
        if value is None:
            self.builder.mistake("darknet", "this [route] has no `layers`", section.span)
            return None
        parts: list[Result] = []
        for text in value.text.rstrip(", ").split(","):
            known, part = self.reference(section, text.strip(), value.span)
            if not known:
                return None
            parts.append(part)
        groups = self.whole(section, "groups", 1, 1)
        if groups > 1:
            chosen = self.whole(section, "group_id", 0)
            for index, part in enumerate(parts):
                if part is not None:
                    share = part.shape[0] // groups
                    channels = (share * chosen, share * (chosen + 1))
                    parts[index] = self.add("slice", section, part, channels=channels)
        return parts[0] if len(parts) == 1 else self.add("concat", section, *parts)

    def upsample(self, section: Section, source: Result) -> Result:
        stride = self.whole(section, "stride", 2)
        if stride < 1 or self.number(section, "scale", 1.0) != 1.0:
            self.unsaid(section, "it scales, or makes the map smaller", source)
            return None
        return self.add("upsample", section, source, factor=(stride, stride))

    def dropout(self, section: Section, source: Result) -> Result:
        if self.whole(section, "dropblock", 0):
            self.unsaid(section, "it drops blocks", source)
            return None
        return self.add("dropout", section, source, p=self.number(section, "probability", 0.5))

    def softmax(self, section: Section, source: Result) -> Result:
        if self.whole(section, "groups", 1, 1) != 1 or "tree" in section.values:
            self.unsaid(section, "it has groups of classes", source)
            return None
        if self.number(section, "temperature", 1.0) != 1.0:
            self.unsaid(section, "it has a temperature", source)
            return None
        return self.add("softmax", section, self.builder.flat(source, section.span))

    def deconvolutional(self, section: Section, source: Result) -> Result:
        size = self.whole(section, "size", 1, 1)
        stride = self.whole(section, "stride", 1, 1)
        pad = self.whole(section, "padding", 0)
        if self.whole(section, "pad", 0):
            pad = size // 2
        normed = bool(self.whole(section, "batch_normalize", 0))
        result = self.add(
            "deconv", section, source,
            out=self.whole(section, "filters", 1, 1), kernel=(size, size), stride=(stride, stride),
            pad=(pad, pad), bias=not normed,
        )  # fmt: skip
        norm = self.add("bn", section, result) if normed else None
        self.store_layer(section, result, norm)
        return self.activated(section, norm if normed else result, "logistic")

    def reorg(self, section: Section, source: Result) -> Result:
        """Blocks of pixels become channels, of a map of other sides that has the same numbers."""
        if source is None or len(source.shape) != 3:
            self.unsaid(section, "its input is a vector", source)
            return None
        if self.whole(section, "flatten", 0):
            self.unsaid(section, "it exchanges channels and places", source)
            return None
        step = self.whole(section, "stride", 1, 1)
        extra = self.whole(section, "extra", 0)
        channels, height, width = source.shape
        if extra:
            row = self.add("reshape", section, source, to=(1, size(source.shape)))
            return self.builder.flat(self.add("pad", section, row, right=extra), section.span)
        if channels % step**2 or (height % step or width % step):
            self.unsaid(section, f"{channels}x{height}x{width} is not divided by {step}", source)
            return None
        if step == 1:
            return source
        if self.whole(section, "reverse", 0):
            return self.add("depth_to_space", section, source, block=step)
        wide = (channels // step**2, height * step, width * step)
        result = self.add("reshape", section, source, to=wide)
        result = self.add("space_to_depth", section, result, block=step)
        narrow = (channels * step**2, height // step, width // step)
        return self.add("reshape", section, result, to=narrow)

    def reorg3d(self, section: Section, source: Result) -> Result:
        step = self.whole(section, "stride", 1, 1)
        if self.whole(section, "reverse", 0):
            self.unsaid(section, "it is reversed", source)
            return None
        return source if step == 1 else self.add("space_to_depth", section, source, block=step)

    def multiplied(self, section: Section, source: Result) -> Result:
        """A map, multiplied by one that may have one number for each channel or place."""
        value = section.values.get("from")
        if value is None:
            self.builder.mistake("darknet", f"this [{section.kind}] has no `from`", section.span)
            return None
        known, other = self.reference(section, value.text.strip(), value.span)
        if not known:
            return None
        return self.activated(section, self.add("mul", section, other, source), "linear")

    def logistic(self, section: Section, source: Result) -> Result:
        return self.add("sigmoid", section, source)

    def empty(self, section: Section, source: Result) -> Result:
        return source

    def activation_layer(self, section: Section, source: Result) -> Result:
        return self.activated(section, source, "linear")

    def batchnorm(self, section: Section, source: Result) -> Result:
        """Without biases: its weights have none."""
        result = self.add("bn", section, source)
        self.lost |= result is None
        if result is not None:
            self.stored.append(Stored(result, "bias", constant=(0.0,)))
        self.store(
            section,
            (result, "weight", "scales"),
            (result, "running_mean", "rolling_mean"),
            (result, "running_var", "rolling_variance"),
        )
        return result

    def lrn(self, section: Section, source: Result) -> Result:
        size = self.whole(section, "size", 5, 1)
        return self.add(
            "lrn", section, source,
            size=size, alpha=self.number(section, "alpha", 1e-4) * size,
            beta=self.number(section, "beta", 0.75), k=self.number(section, "kappa", 1.0),
        )  # fmt: skip


def _sides(op: Any, shape: Shape) -> tuple[int, ...]:
    try:
        return tuple(op.output(shape)[1:])
    except ShapeError:
        return ()


def _why(kind: str) -> str:
    if kind in DETECTION:
        return "boxes are decoded outside of the network"
    if kind in RECURRENT:
        return "the language has no recurrent layers"
    meaning = foreign.layer(kind)
    return meaning.advice if meaning and meaning.advice else "the language has no such layer"
