"""Builds a dataflow graph from the operations of a module, in the order of execution.

A value is one of three things: data (a link to its source), something computed from parameters and
buffers (their keys), or neither (a size, a number, None).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .attention_flow import ATTENTION, attended
from .flow import Flow, Link, Part, flow_of
from .layer import COUNTER, Layer, Shape, held, layer_of, prefix_of
from .operations import NEGATIVE, NUMBERS, SAME, plain, variant_of


@dataclass(frozen=True)
class Keys:
    """The parameters and buffers that a value is computed from."""

    keys: tuple[str, ...]


Value = Link | Keys | None


class Builder:
    """`tensors` has the shapes of all parameters and buffers, by key; `saved` those that a file of
    weights has."""

    def __init__(self, tensors: Mapping[str, Shape], saved: Container[str]) -> None:
        self._tensors = tensors
        self._saved = saved
        self._parts: list[Part] = []

    def input(self) -> Link:
        return self._add(Part("input", ()))

    def held(self, key: str) -> Keys:
        return Keys((key,))

    def flow(self, outputs: Iterable[Value]) -> Flow:
        return flow_of(self._parts, [value for value in outputs if isinstance(value, Link)])

    def operation(
        self,
        name: str,
        operands: Sequence[Value],
        settings: Mapping[str, object] | None = None,
        own: Sequence[str] = (),
    ) -> Value:
        """The result of an operation. `own` are the keys of its own tensors, if it is a module."""
        short = plain(name)
        data = [value for value in operands if isinstance(value, Link)]
        given = [key for value in operands if isinstance(value, Keys) for key in value.keys]
        # What is computed from weights alone keeps them in the order of computation.
        keys = tuple(dict.fromkeys([*own, *given] if data else [*given, *own]))
        # Beside weights, what is not saved is a table that code computes, such as distances.
        keys = tuple(key for key in keys if key in self._saved) or keys
        if short in NUMBERS:
            return None
        if not data:
            return Keys(keys) if keys else None
        if short == ATTENTION and len(data) == 3:
            return attended(self._add, data, self._computed_from(keys))
        if keys:
            layers = self._computed_from(keys) if not own and len(data) == 1 else []
            if len(layers) < 2:
                layers = [self._layer(short, keys, settings or {})]
            return self._chain(tuple(data), layers)
        if short == "sub" and len(data) == 2:  # a sum, in which the second is negative
            return self._add(Part("add", (data[0], _further(data[1], NEGATIVE))))
        if len(data) > 1:
            return self._add(Part(short, tuple(data)))
        return data[0] if short in SAME else _further(data[0], short)

    def element(self, value: Value, index: object) -> Value:
        """An element of a result: one of several outputs, or a slice."""
        if not isinstance(value, Link):
            return value
        return _further(value, f"part {index}" if isinstance(index, int) else "slice")

    def _layer(
        self, operation: str, keys: tuple[str, ...], settings: Mapping[str, object]
    ) -> Layer:
        name = common_name(keys)
        counter = f"{name}.{COUNTER}"
        # torch functions do not get the counter as an argument.
        if counter in self._tensors and counter not in keys:
            keys = (*keys, counter)
        tensors = [held(key, self._tensors[key]) for key in keys]
        return layer_of(name, tensors, variant_of(operation), settings)

    def _computed_from(self, keys: Sequence[str]) -> list[Layer]:
        """The layers that compute a value from nothing but weights: one for each module."""
        modules: dict[str, list[str]] = {}
        for key in keys:
            modules.setdefault(prefix_of(key), []).append(key)
        return [self._layer("", tuple(each), {}) for each in modules.values()]

    def _chain(self, inputs: tuple[Link, ...], layers: Iterable[Layer]) -> Link:
        for layer in layers:
            inputs = (self._add(Part("layer", inputs, layer)),)
        return inputs[0]

    def _add(self, part: Part) -> Link:
        self._parts.append(part)
        return Link(len(self._parts) - 1)


def _further(link: Link, name: str) -> Link:
    return Link(link.part, (*link.through, name))


def common_name(keys: Sequence[str]) -> str:
    """`layer1.0.bn1` for its weight, bias and statistics; the whole key of a single tensor that is
    neither a weight nor a bias."""
    prefixes = {prefix_of(key) for key in keys}
    if len(keys) == 1 and not keys[0].endswith((".weight", ".bias")):
        return keys[0]
    if len(prefixes) == 1:
        return prefixes.pop() or keys[0]
    shared = [
        part[0]
        for part in zip(*(p.split(".") for p in prefixes), strict=False)
        if len(set(part)) == 1
    ]
    return ".".join(shared) or keys[0]
