"""Reads a model of Keras: its layers, in a row or with nodes that say what each use of a layer
reads, and models among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.source import Source, Span
from ...shapes import Shape
from ..graph import Graph, GraphOutput
from ..placed_json import Placed, read_json
from ..readers import Given
from . import (  # noqa: F401 (they register layers)
    activations,
    conv_layers,
    dense,
    merging,
    norms,
    pooling,
    preprocessing,
    shapes,
)
from .call import LAYERS, Call
from .functions import KNOWN, function, plain_name
from .tracer import Tracer, Value

MODELS = frozenset("Model Functional Sequential Graph".split())
MAX_NODES = 50_000
_VERSION = re.compile(r"[0-9]")
# As Keras makes names of classes.
_NO_LETTER = re.compile(r"\W")
_AT_CAPITAL = re.compile(r"(.)([A-Z][a-z]+)")
_AT_WORD = re.compile(r"([a-z])([A-Z])")


def read_keras(given: Given) -> Graph:
    """The network of a `.json`."""
    return read_model(given.source, given.input_shape)


def read_model(source: Source, input_shape: Shape | None = None, version: str = "") -> Graph:
    """The network that a configuration describes; `version` is that of Keras, if it is known from
    elsewhere."""
    start = Span(source, 0, min(1, len(source.text)))
    root = read_json(source)
    if isinstance(root, dict) and isinstance(root.get("model_config"), dict):
        root = root["model_config"]
    if not isinstance(root, Placed) or _kind(root) not in MODELS or "config" not in root:
        kind = _kind(root) if isinstance(root, dict) else ""
        help = "model.to_json() writes one, of a functional or a sequential model"
        if kind:
            message = f"a model of the class {kind[:40]} is described by its code, not by this file"
        else:
            message = "this JSON is not the configuration of a Keras model"
        at = root.span if isinstance(root, Placed) else start
        raise SpecError([Diagnostic("keras", message, at, help=help)])
    return _Reader(source, root, input_shape, version).read()


class Ref(NamedTuple):
    """What a layer gives at one of its uses."""

    layer: str
    node: int
    tensor: int


class Node(NamedTuple):
    """One use of a layer."""

    args: list[Any]
    """With `Ref` where values go."""
    kwargs: dict[str, Any]

    @property
    def refs(self) -> list[Ref]:
        return _refs([self.args, list(self.kwargs.values())])

    def replaced(self, change: Callable[[Ref], Ref]) -> Node:
        changed = iter([change(ref) for ref in self.refs])
        return Node(_filled(self.args, changed), _filled(self.kwargs, changed))


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, list):
        return [ref for each in value for ref in _refs(each)]
    return []


def _kind(layer: dict[str, Any]) -> str:
    """Its class, without the package that it was registered in."""
    return str(layer.get("class_name", "")).rpartition(">")[2]


class _Reader:
    def __init__(
        self, source: Source, root: Placed, input_shape: Shape | None, version: str
    ) -> None:
        self.source = source
        self.root = root
        self.given = input_shape
        self.tracer = Tracer()
        said = version or str(root.get("keras_version", ""))
        digit = _VERSION.match(said)
        self.version = int(digit.group()) if digit else _guessed(source.text)
        self.backend = str(root.get("backend", ""))
        self.first = bool(re.search(r'"(?:channels_first|th)"', source.text))
        """Whether its input has the channels first, if nothing else says it."""
        self.inputs = 0

    def read(self) -> Graph:
        tracer, builder = self.tracer, self.tracer.builder
        outputs = self.model(self.root, (), None)
        ends = [builder.ends[n] for n in sorted(builder.ends) if n > 0]
        found: list[GraphOutput] = []
        values = [tracer.plain(each, "", self.root.span) for each in outputs]
        main = [value.layer for value in values if value.layer is not None]
        for number, layer in enumerate([each for each in ends if each not in main], 1):
            found.append(GraphOutput(layer, layer.name or f"output{number}"))
        for layer in main:
            if layer.index > 0 and all(each.layer is not layer for each in found):
                found.append(GraphOutput(layer, layer.name or "main"))
        if not found and not builder.mistakes and not builder.unsaid:
            builder.mistake("keras", "this model has no layers", self.root.span)
        graph = builder.finished(_name(self.root) or self.file_name, found)
        return graph._replace(stored=tuple(tracer.stored), layout=tuple(self.layout()))

    @property
    def file_name(self) -> str:
        return self.source.name.replace("\\", "/").rpartition("/")[2].partition(".")[0]

    def layout(self) -> list[str]:
        said: list[str] = []
        if not self.first:
            said.append("Channels come first here, and last in Keras")
        if self.tracer.reordered:
            names = self.tracer.reordered
            listed = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
            said.append(
                f"a flatten goes through channels first, so the rows of {listed} are in another"
                " order" if said else f"the rows of {listed} are in another order"
            )  # fmt: skip
        shared = [owner[-1] for owner, times in self.tracer.uses.items() if times > 1]
        stored = {each.owner[-1] for each in self.tracer.stored if each.owner}
        shared = [name for name in shared if name in stored]
        if shared:
            said.append(f"each use of {', '.join(shared[:3])} has weights of its own here")
        return said

    # ---- models ----

    def model(
        self, model: Placed, path: tuple[str, ...], inputs: Sequence[Value] | None
    ) -> list[Value]:
        """What a model gives; its inputs are those of the network if None."""
        config = model.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if not isinstance(layers, list):
            self.mistake("this model has no list of layers", model)
            return [Value(None)]
        known = [layer for layer in layers if isinstance(layer, Placed)]
        if len(known) < len(layers):
            self.mistake("a layer has no class", model)
            return [Value(None)]
        if len(known) > MAX_NODES:
            raise SpecError([Diagnostic("limit", f"more than {MAX_NODES:,} layers", model.span)])
        self.number(known, path)
        if _kind(model) == "Sequential" or not isinstance(config, dict):
            return [self.sequential(model, known, path, inputs)]
        return _Functional(self, model, known, path).values(inputs)

    def number(self, layers: list[Placed], path: tuple[str, ...]) -> None:
        """The places of layers in weights of Keras 3: `conv2d_1` for the second of its class."""
        counts: dict[str, int] = {}
        around = self.tracer.places.get(path, ())
        for layer in layers:
            kind = _kind(layer)
            if ".ops." in str(layer.get("module", "")):
                continue  # operations are not layers there
            word = _AT_WORD.sub(r"\1_\2", _AT_CAPITAL.sub(r"\1_\2", kind)).lower()
            word = _NO_LETTER.sub("", word)
            number = counts.get(word, 0)
            counts[word] = number + 1
            place = (*around, f"{word}_{number}" if number else word)
            self.tracer.places[(*path, _name(layer))] = place

    def sequential(
        self,
        model: Placed,
        layers: list[Placed],
        path: tuple[str, ...],
        inputs: Sequence[Value] | None,
    ) -> Value:
        value: Value | None = None
        if inputs:
            value = inputs[0]
        for layer in layers:
            if _kind(layer) == "InputLayer":
                if value is None:
                    value = self.input(layer, model)
                continue
            if value is None:
                value = self.input(layer, model)
            value = self.layer(layer, [value], path)[0]
        return value or Value(None)

    def input(self, layer: Placed, model: Placed | None = None) -> Value:
        """An input of the network, as its first layer or its model says it."""
        self.inputs += 1
        if self.inputs > 1:
            self.tracer.builder.cannot_say("InputLayer", "it has several inputs", layer.span)
            return Value(None)
        shape = self.given or self.input_shape(layer, model)
        first = self.first
        if shape is None:
            help = "write --input 3x224x224"
            self.tracer.builder.mistake(
                "keras", "nothing says the size of its input", layer.span, help
            )
            return Value(None)
        if self.given is None and not first:
            shape = (shape[-1], *shape[:-1])
        return Value(self.tracer.builder.input(shape, _name(layer), layer.span), first=first)

    def input_shape(self, layer: Placed, model: Placed | None) -> Shape | None:
        """As Keras has it, without the batch; None if a side is not said."""
        config = layer.get("config")
        found: Any = None
        while isinstance(config, dict):
            found = config.get("batch_input_shape") or config.get("batch_shape")
            if found is None and isinstance(config.get("input_shape"), list):
                found = [None, *config["input_shape"]]
            if found is None and type(config.get("input_dim")) is int:
                length = config.get("input_length")
                found = [None, *([length] if length else []), config["input_dim"]]
            inner = config.get("layers")
            if found is not None or not isinstance(inner, list) or not inner:
                break
            config = inner[0].get("config") if isinstance(inner[0], dict) else None
        if found is None and model is not None and isinstance(model.get("config"), dict):
            found = model["config"].get("build_input_shape")
            if found is None and isinstance(model.get("build_config"), dict):
                found = model["build_config"].get("input_shape")
        if isinstance(found, dict):
            found = found.get("config", found.get("items"))
        if not isinstance(found, list) or len(found) < 2:
            return None
        sides = found[1:]
        if all(type(side) is int and 1 <= side < 10**9 for side in sides) and len(sides) <= 4:
            return tuple(sides)
        return None

    # ---- layers ----

    def mistake(self, message: str, at: Placed) -> None:
        self.tracer.builder.mistake("keras", message, at.span)

    def layer(
        self,
        layer: Placed,
        inputs: Sequence[Value],
        path: tuple[str, ...],
        node: Node | None = None,
    ) -> list[Value]:
        """What one use of a layer gives."""
        kind, name = _kind(layer), _name(layer)
        owner = (*path, name)
        self.tracer.uses[owner] = self.tracer.uses.get(owner, 0) + 1
        if kind in MODELS:
            return self.model(layer, owner, inputs)
        config = layer.get("config")
        call = Call(
            self.tracer,
            kind,
            config if isinstance(config, dict) else {},
            inputs,
            owner,
            layer.span,
            self.version,
        )
        if not inputs:
            call.mistake(f"the layer `{name[:60]}` reads nothing")
            return [Value(None)]
        called = _function(layer, kind, call.settings.config, node)
        if called and node is not None:
            values = iter(inputs)
            args = _filled(node.args, values)
            kwargs = {**call.settings.config, **_filled(node.kwargs, values)}
            return [function(call, called, *_with_constants(call, args, kwargs))]
        if "NoOp" in kind:
            return list(inputs)
        read = LAYERS.get(kind)
        if read is None:
            return [call.cannot_say(_why(kind))]
        return [read(call)]


class _Functional:
    """A model whose layers have nodes."""

    def __init__(
        self, reader: _Reader, model: Placed, layers: list[Placed], path: tuple[str, ...]
    ) -> None:
        self.reader = reader
        self.model = model
        self.path = path
        self.layers: dict[str, Placed] = {}
        self.nodes: dict[str, list[Node]] = {}
        for layer in layers:
            name = _name(layer)
            if name in self.layers:
                reader.mistake(f"there are two layers `{name[:60]}`", layer)
            self.layers[name] = layer
            inbound = layer.get("inbound_nodes")
            self.nodes[name] = [
                read for each in (inbound if isinstance(inbound, list) else [])
                if (read := self.node(each)) is not None
            ]  # fmt: skip
        config = model["config"]
        self.inputs = self.ends(config.get("input_layers"))
        self.outputs = [self.shifted(ref) for ref in self.ends(config.get("output_layers"))]
        if reader.version < 3:
            for nodes in self.nodes.values():
                nodes[:] = [node.replaced(self.shifted) for node in nodes]
        if not self.outputs:
            reader.mistake("this model does not say its outputs", model)

    def shifted(self, ref: Ref) -> Ref:
        """A model within counts its uses from 1: the first is its own making."""
        inner = self.layers.get(ref.layer)
        if inner is None or _kind(inner) not in MODELS:
            return ref
        return ref._replace(node=min(max(ref.node - 1, 0), len(self.nodes[ref.layer]) - 1))

    def node(self, node: Any) -> Node | None:
        if isinstance(node, dict):  # Keras 3
            given, named = node.get("args"), node.get("kwargs")
            return Node(
                [_history(each) for each in given] if isinstance(given, list) else [],
                {key: _history(each) for key, each in named.items()}
                if isinstance(named, dict)
                else {},
            )
        if not isinstance(node, list) or not node:
            return None
        entries = [node] if isinstance(node[0], str) else node
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for entry in entries:
            if not isinstance(entry, list) or len(entry) < 3:
                continue
            if entry[0] == "_CONSTANT_VALUE":
                args.append(entry[2])
            else:
                args.append(_ref(entry))
            if len(entry) > 3 and isinstance(entry[3], dict):
                kwargs |= {key: self.old_operand(value) for key, value in entry[3].items()}
        return Node(args, kwargs)

    def old_operand(self, value: Any) -> Any:
        """An argument of Keras 2: `["name", 0, 0]` is a value."""
        if isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str) and type(value[1]) is int:
                return _ref(value)
            return [self.old_operand(each) for each in value]
        return value

    def ends(self, given: Any) -> list[Ref]:
        """The layers that inputs or outputs are, or one of them alone."""
        if isinstance(given, dict):
            given = list(given.values())
        if not isinstance(given, list) or not given:
            return []
        if isinstance(given[0], str):
            given = [given]
        return [_ref(each) for each in given if isinstance(each, list) and len(each) >= 3]

    def values(self, inputs: Sequence[Value] | None) -> list[Value]:
        made: dict[tuple[str, int], list[Value]] = {}
        if inputs is not None:
            made |= {
                (ref.layer, ref.node): [v] for ref, v in zip(self.inputs, inputs, strict=False)
            }
        for name, layer in self.layers.items():
            if _kind(layer) == "InputLayer" and (name, 0) not in made:
                if inputs is None:
                    made[name, 0] = [self.reader.input(layer)]
                else:
                    self.reader.mistake(f"nothing is given to its input `{name[:60]}`", layer)
                    made[name, 0] = [Value(None)]
            elif not self.nodes[name] and (name, 0) not in made:
                # The first layer of a Sequential that became functional, or one that reads nothing.
                self.nodes[name] = []
        for name, number in self.in_order(made):
            node = self.nodes[name][number]
            layer = self.layers[name]
            given = [self.value(ref, made, layer) for ref in node.refs]
            made[name, number] = self.reader.layer(layer, given, self.path, node)
        return [self.value(ref, made, self.model) for ref in self.outputs]

    def value(self, ref: Ref, made: dict[tuple[str, int], list[Value]], at: Placed) -> Value:
        values = made.get((ref.layer, ref.node))
        if values is None or ref.tensor >= len(values):
            self.reader.mistake(f"it reads `{ref.layer[:60]}`, which does not give that", at)
            return Value(None)
        return values[ref.tensor]

    def in_order(self, made: dict[tuple[str, int], list[Value]]) -> list[tuple[str, int]]:
        """Uses of layers so that each comes after what it reads; those that are not read in the
        order of the file."""
        waiting: dict[tuple[str, int], int] = {}
        readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
        ready: list[tuple[str, int]] = []
        for name, nodes in self.nodes.items():
            for number, node in enumerate(nodes):
                use = name, number
                if use in made:
                    continue
                needs = {
                    (ref.layer, ref.node)
                    for ref in node.refs
                    if (ref.layer, ref.node) not in made and self.is_use(ref)
                }
                waiting[use] = len(needs)
                for need in needs:
                    readers.setdefault(need, []).append(use)
                if not needs:
                    ready.append(use)
        ordered: list[tuple[str, int]] = []
        while ready:
            use = ready.pop()
            ordered.append(use)
            for reader in readers.get(use, ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        if len(ordered) < len(waiting):
            name = next(use for use, count in waiting.items() if count)[0]
            self.reader.mistake("layers read each other in a circle", self.layers[name])
        return ordered

    def is_use(self, ref: Ref) -> bool:
        return 0 <= ref.node < len(self.nodes.get(ref.layer, ()))


def _ref(entry: list[Any]) -> Ref:
    numbers = [each if type(each) is int and each >= 0 else 10**9 for each in entry[1:3]]
    return Ref(str(entry[0]), *numbers)


def _history(value: Any) -> Any:
    """An argument of Keras 3, with references for values."""
    if isinstance(value, list):
        return [_history(each) for each in value]
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            history = config.get("keras_history") if isinstance(config, dict) else None
            if isinstance(history, list) and len(history) >= 3:
                return _ref(history)
        if value.get("class_name") == "__numpy__" and isinstance(value.get("config"), dict):
            return value["config"].get("value")
    return value


def _filled(value: Any, values: Any) -> Any:
    """Arguments with values in the places of their references."""
    if isinstance(value, Ref):
        return next(values)
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    return value


def _function(layer: Placed, kind: str, config: Mapping[str, Any], node: Node | None) -> str:
    """The name of the function, if it is not a layer."""
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return str(config.get("function", ""))
    if kind == "TensorFlowOpLayer":
        definition = config.get("node_def")
        if isinstance(definition, dict):
            return str(definition.get("op", ""))
        found = re.search(r'"op": "([A-Za-z0-9]{1,40})"', str(definition)[:10_000])
        return found.group(1) if found else ""
    if ".ops." in str(layer.get("module", "")):
        return kind
    if "module" in layer or node is None or plain_name(kind) not in KNOWN:
        return ""
    # In .h5 files of Keras 3, nothing but its arguments tells `Multiply` from the layer.
    return kind if kind not in LAYERS or len(node.args) > 1 else ""


def _with_constants(
    call: Call, args: list[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """With the constants that a TensorFlowOpLayer has by the number of the argument."""
    constants = call.settings.config.get("constants")
    if isinstance(constants, dict):
        args = list(args)
        for at in sorted(constants):
            if at.isdigit() and int(at) <= len(args):
                args.insert(int(at), constants[at])
    return args, kwargs


def _name(layer: Placed) -> str:
    config = layer.get("config")
    name = layer.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return name if isinstance(name, str) else ""


def _guessed(text: str) -> int:
    """The version of Keras, if the file does not say it."""
    if '"keras_history"' in text:
        return 3
    return 1 if '"border_mode"' in text or '"output_dim"' in text else 2


def _why(kind: str) -> str:
    from ...language import foreign

    if kind == "Lambda":
        return "it is a function in bytecode, which is never run"
    if kind in ("TimeDistributed", "Bidirectional", "LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"):
        return "the language has no recurrent layers, and no layers of layers"
    meaning = foreign.layer(kind)
    return meaning.advice if meaning and meaning.advice else "the language has no such layer"
