"""A layer of Caffe, and the values of its message of parameters, each checked where it stands."""

from __future__ import annotations

from ...dsl.source import Span
from ..shapes import axes_of
from .graph import GraphBuilder, Result
from .text_format import Field, Message

AXES = ("h", "w")


class CaffeLayer:
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

    @property
    def tested(self) -> bool:
        """Whether it belongs to the network of the test phase, as it is deployed."""
        rules = [message for message, _ in self.message.messages("include")]
        refused = [message for message, _ in self.message.messages("exclude")]
        if rules:
            return any(map(_holds, rules))
        return not any(map(_holds, refused))


def _holds(rule: Message) -> bool:
    """Whether a rule is met in the test phase and the stage `deploy`."""
    phase = rule.first("phase")
    if phase is not None and str(phase.value).upper() not in ("TEST", "1"):
        return False
    if any(str(each.value) != "deploy" for each in rule.all("stage")):
        return False
    return all(str(each.value) != "deploy" for each in rule.all("not_stage"))


class Values:
    """Reads values of the layer at hand; what is wrong is noted, and something usual goes on."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()
        self.parameters = Message([])

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

    def sides(self, name: str, usual: int, source: Result, repeated: str = "") -> tuple[int, ...]:
        """`kernel_h` and `kernel_w`, or `kernel_size` for all axes or each of them."""
        found = [self.parameters.first(f"{name}_{axis}") for axis in AXES]
        if any(found):
            return tuple([usual if field is None else self.int_of(field) for field in found])
        fields = self.parameters.all(repeated or name)
        axes = (axes_of(source.shape) if source is not None else 0) or 2
        if len(fields) > 1 and len(fields) != axes:
            text = f"{len(fields)} numbers for the {axes} axes of its input"
            self.builder.mistake("prototxt", text, fields[0].span)
            return (usual,) * axes
        values = [self.int_of(field) for field in fields] or [usual]
        return tuple(values if len(values) > 1 else values * axes)
