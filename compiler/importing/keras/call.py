"""One use of a layer of Keras, and the table of the layers that are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....dsl.source import Span
from ...ops.padding import upper_sides
from ...shapes import Shape, axes_of
from ..graph import Result
from .settings import Settings
from .tracer import Tracer, Value


class Call:
    """A layer with what it is configured with and what it reads."""

    def __init__(
        self,
        tracer: Tracer,
        kind: str,
        config: dict[str, Any],
        inputs: Sequence[Value],
        owner: tuple[str, ...],
        span: Span,
        version: int,
    ) -> None:
        self.tracer = tracer
        self.kind = kind
        self.settings = Settings(config, self.mistake)
        self.inputs = list(inputs)
        self.owner = owner
        self.name = ".".join(owner)
        self.span = span
        self.version = version
        """Of Keras."""
        self.count = 0
        """Of the weights that it has so far."""

    @property
    def value(self) -> Value:
        return self.inputs[0]

    @property
    def axes(self) -> int:
        """Spatial axes, by its kind: `Conv2D`."""
        digits = [int(c) for c in self.kind if c in "123"]
        return digits[-1] if digits else 2

    @property
    def first(self) -> bool:
        """Whether it takes maps with the channels first."""
        said = self.settings.text("data_format", "dim_ordering")
        return said in ("channels_first", "th") if said else self.value.first

    def mistake(self, message: str) -> None:
        self.tracer.builder.mistake("keras", message, self.span)

    def cannot_say(self, why: str) -> Value:
        self.tracer.builder.cannot_say(
            self.kind, why, self.span, [each.layer for each in self.inputs]
        )
        return Value(None)

    def remark(self, text: str) -> None:
        if text not in self.tracer.builder.remarks:
            self.tracer.builder.remarks.append(text)

    # ---- what it reads ----

    def settled(self, value: Value | None = None) -> Value:
        return self.tracer.settled(value or self.value, self.name, self.span)

    def plain(self, value: Value | None = None) -> Value:
        return self.tracer.plain(value or self.value, self.name, self.span)

    def laid(self, first: bool | None = None) -> Value:
        """Its input with the axes in the order that it takes."""
        wanted = self.first if first is None else first
        return self.tracer.laid(self.value, wanted, self.name, self.span)

    def map(self) -> Value | None:
        """Its input, a map with as many axes as its kind says, padding not added; None, and a
        mistake, if it is none."""
        value = self.value
        if value.layer is None:
            return value
        found = value if value.first == self.first else self.laid()
        if axes_of(found.shape) != self.axes:
            self.mistake(
                f"its input has {axes_of(found.shape)} spatial axes, and it has {self.axes}"
            )
            return None
        return found

    # ---- what it adds ----

    def add(self, word: str, *inputs: Result, **given: object) -> Result:
        return self.tracer.add(word, inputs, self.name, self.span, **given)

    def padding(
        self, value: Value, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
    ) -> tuple[Value, dict[str, object]]:
        """How a window is padded: the value, and arguments of the layer."""
        mode = self.settings.text("padding", "border_mode", usual="valid").lower()
        if mode not in ("valid", "same", "causal"):
            self.mistake(f"`padding` is `{mode[:20]}`, and not valid or same")
        if value.layer is None:
            return value, {}
        reach = [step * (side - 1) + 1 for side, step in zip(kernel, dilation, strict=True)]
        if mode == "causal":
            value = self.settled(value)
            return value._replace(pads=((reach[0] - 1, 0),)), {}
        if mode == "valid":
            return _joined(value, reach, stride)
        if value.pads:
            value = self.settled(value)
        if max(reach) == 1:
            return value, {}
        even = all(side % 2 for side in reach) and max(stride) == 1
        return value, {"same" if even else "same_upper": True}

    # ---- where its weights lie ----

    def store(
        self,
        layer: Result,
        key: str,
        name: str,
        shape: Shape,
        *,
        axes: tuple[int, ...] = (),
        flat: tuple[Shape, ...] = (),
    ) -> None:
        """Its next weight."""
        self.tracer.store(
            layer, key, self.owner, self.count, name, shape, axes=axes, flat=flat
        )  # fmt: skip
        self.count += 1


def _joined(
    value: Value, reach: Sequence[int], stride: Sequence[int]
) -> tuple[Value, dict[str, object]]:
    """Padding that becomes part of the layer after it, if that can say it."""
    assert value.layer is not None
    if not value.pads:
        return value, {}
    sides = value.layer.shape[1:]
    if all(before == after for before, after in value.pads):
        pad = tuple([before for before, _ in value.pads])
        return value._replace(pads=()), {"pad": pad}
    upper = [upper_sides(*each) for each in zip(sides, reach, stride, strict=True)]
    if upper == list(value.pads):
        return value._replace(pads=()), {"same_upper": True}
    return value, {}


Read = Callable[[Call], Value]
LAYERS: dict[str, Read] = {}
"""By the name of its class, how a layer is read."""


def reads(*kinds: str) -> Callable[[Read], Read]:
    """Registers how layers of these kinds are read."""

    def register(read: Read) -> Read:
        LAYERS.update(dict.fromkeys(kinds, read))
        return read

    return register
