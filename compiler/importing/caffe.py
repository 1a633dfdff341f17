"""Reads networks of Caffe: `.prototxt`, with layers in the new and in the old syntax. The network
is that of the test phase; losses, accuracies and data layers belong to training.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ..shapes import Shape
from .caffe_layers import READERS, LayerReader, why
from .caffe_values import CaffeLayer
from .graph import Graph, GraphOutput, Result
from .readers import Given
from .text_format import Message, read_message

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
LAYOUT = (
    "Images come in as BGR from 0 to 255, less their mean, where Caffe's own tools read them",
)


def read_caffe(given: Given) -> Graph:
    """The network of a `.prototxt`."""
    return _Reader(given.source, read_message(given.source), given.input_shape).read()


class _Reader(LayerReader):
    def __init__(self, source: Source, message: Message, input_shape: Shape | None) -> None:
        super().__init__()
        self.source = source
        self.message = message
        self.given = input_shape
        self.blobs: dict[str, Result] = {}
        self.made_at: dict[str, Span] = {}
        self.used: set[str] = set()
        """Blobs that a layer reads."""
        self.ignored: set[str] = set()
        """Blobs of labels."""
        self.weights_of: dict[str, str] = {}
        """The layer that weights of a name belong to first."""
        self.losses: list[tuple[float, Result, str]] = []

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

    def layers(self) -> list[CaffeLayer]:
        messages = list(self.message.messages("layer", "layers"))
        messages.sort(key=lambda pair: pair[1].start)
        if len(messages) > MAX_LAYERS:
            text = f"more than {MAX_LAYERS:,} layers"
            raise SpecError([Diagnostic("limit", text, messages[MAX_LAYERS][1])])
        layers = [CaffeLayer(message, span) for message, span in messages]
        if not layers and not self.message.fields:
            raise SpecError([Diagnostic("prototxt", "this file has no layers", self.start)])
        test = [layer for layer in layers if layer.tested]
        data = [layer for layer in layers if layer.word in DATA]
        if data and not any(layer.word in DATA for layer in test):
            test += [layer for layer in data if layer not in test]
        return test

    # ---- the input ----

    def inputs(self, layers: Sequence[CaffeLayer]) -> None:
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

    def data_shape(self, layer: CaffeLayer) -> Shape:
        """The shape that a data layer gives; empty if it does not say it."""
        message = layer.message
        for name in ("input_param", "dummy_data_param"):
            for shape, _ in message.message(name).messages("shape"):
                return self.dims(shape)[1:]
        memory = message.message("memory_data_param")
        if memory.fields:
            sizes = [memory.first(name) for name in ("channels", "height", "width")]
            return tuple([self.int_of(field) if field is not None else 0 for field in sizes])
        transform = message.message("transform_param")
        resize = transform.message("resize_param")
        if resize.first("height") is not None:
            sizes = [resize.first(name) for name in ("height", "width")]
            return (3, *(self.int_of(field) if field is not None else 0 for field in sizes))
        crop = transform.first("crop_size")
        for name in ("data_param", "image_data_param", "window_data_param"):
            crop = crop or message.message(name).first("crop_size")
        side = self.int_of(crop) if crop is not None else 0
        return (3, side, side) if side else ()

    def dims(self, message: Message) -> Shape:
        return tuple([self.int_of(field) for field in message.all("dim")])

    # ---- layers ----

    def layer(self, layer: CaffeLayer) -> None:
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
        shared = self.shared(layer)
        if shared:
            self.builder.cannot_say(layer.kind, shared, layer.span, bottoms)
            self.tops(layer, None)
            return
        result: Result | list[Result]
        if word == "slice":
            result = self.slice(layer, bottoms)
        elif word == "split":
            result = [bottoms[0]] * len(layer.tops)
        else:
            reader = READERS.get(word)
            if reader is None:
                self.builder.cannot_say(layer.kind or "layer", why(layer), layer.span, bottoms)
                result = None
            else:
                name, read = reader
                self.parameters = layer.message.message(name)
                result = read(self, layer, bottoms)
        self.tops(layer, result)

    def shared(self, layer: CaffeLayer) -> str:
        """Why its weights are not its own; empty if they are."""
        for message, _ in layer.message.messages("param"):
            field = message.first("name")
            name = str(field.value) if field is not None else ""
            if name and name in self.weights_of:
                return f"it shares its weights with `{self.weights_of[name][:60]}`"
            if name:
                self.weights_of[name] = layer.name
        return ""

    def bottoms(self, layer: CaffeLayer) -> list[Result] | None:
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
            if name in self.before_scale:
                text = "it reads a batch norm before its scale"
                self.builder.cannot_say(layer.kind, text, field.span)
                blob = None
            found.append(blob)
        return found

    def tops(self, layer: CaffeLayer, result: Result | list[Result]) -> None:
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
            self.before_scale.discard(name)

    def loss(self, layer: CaffeLayer, bottoms: Sequence[Result]) -> None:
        weights = layer.message.all("loss_weight")
        value = weights[0].value if weights else 1.0
        weight = float(value) if isinstance(value, (int, float)) else 1.0
        self.losses.append((weight, bottoms[0], layer.name))
        self.builder.remarks.append(f"{layer.kind} `{layer.name}` belongs to training")

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
        graph = builder.finished(str(title.value) if title is not None else name, outputs)
        return graph._replace(stored=tuple(self.stored), layout=LAYOUT if self.stored else ())
