"""Whole programs drawn at random: blocks with parameters, loops, choices, labels and references.

Where random_networks.py draws layers and forms, this draws what the emitter makes classes of:
blocks called once and many times, with other arguments and other structures. As text, so that what
fails can be read and pasted. Not all that is drawn has shapes that fit; `networks` keeps what has.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import reject
from hypothesis import strategies as st

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source

T = TypeVar("T")

ACTIVATIONS = "relu relu6 leaky prelu elu silu gelu tanh sigmoid hardswish softplus".split()
PLAIN = (
    "conv 8 3x3 same", "conv 4", "conv channels 3x3 same groups=2", "conv 8 3x3 same bias=off",
    "depthwise 3x3 same", "separable 8 3x3 same", "conv 4 1x3 same", "conv 8 3x3 same dilation=2",
    "conv channels", "conv 8 3x3 same mode=reflect", "filter blur same", "deconv 4 3x3 same",
    "bn", "bn eps=0.01", "bn momentum=0.2", "ln", "gn 2", "instancenorm", "lrn 3", "layerscale",
    "dropout 0.3", "dropout2d 0.2", "droppath 0.1", "shuffle 2",
    "pool max 3x3 stride=1 same", "pool avg 3x3 stride=1 same", "pool min 3x3 stride=1 same",
    "pool mixed 3x3 stride=1 same", "upsample 2, pool max 2x2",
    "conv 8 3x3 same, bn, relu", "bn, relu, conv 8", *ACTIVATIONS,
)  # fmt: skip
"""Layers that keep the size of a map."""
HALVING = ("pool max 2x2", "conv 8 3x3 stride=2 same", "pool avg 2x2", "pool lp 2x2 p=3")
LISTS = """
block each(width) { list { for map in input as i { | from map, conv width, if i > 0 { relu } } } }
block both(one, maps, width) {
  list {
    for map in maps + [one] as i {
      | add {
          for other in maps as j { | from other, if i != j { conv width, bn } else { conv width } }
        }
        add map
    }
  }
}
"""
"""Blocks that take lists of maps."""
LABELS = "stem left a b1 skip e mix _u UP x1 up".split()


class Kind(Enum):
    """What a name stands for."""

    WIDTH = auto()
    COUNT = auto()
    KERNEL = auto()
    FLAG = auto()
    STRIDE = auto()
    RATE = auto()
    LAYER = auto()
    UNIT = auto()


NAMES = {
    Kind.WIDTH: "width out narrow wide w".split(),
    Kind.COUNT: "depth n times".split(),
    Kind.KERNEL: "kernel k size".split(),
    Kind.FLAG: "last norm use_bn first".split(),
    Kind.STRIDE: "stride s step".split(),
    Kind.RATE: "rate p".split(),
    Kind.LAYER: "act activation".split(),
    Kind.UNIT: "unit part".split(),
}

Names = tuple[tuple[str, Kind], ...]


class Known(NamedTuple):
    """A block that can be called."""

    name: str
    parameters: Names
    defaults: tuple[str, ...]
    """Empty where there is none; those with one come last."""
    halves: bool = False


class Label(NamedTuple):
    name: str
    halvings: int
    channels: int
    """0 where they are not known."""


class Place(NamedTuple):
    """What may be written at some point."""

    names: Names = ()
    labels: tuple[Label, ...] = ()
    halvings: int = 0
    keeps: bool = False
    """Whether the size of the map has to stay."""
    depth: int = 0
    """Of braces in one another."""
    path: bool = False
    """In a merge, where no auxiliary head begins."""


class Writer:
    """Draws a program."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.blocks: list[Known] = []
        self.made = 0

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.random.randrange(len(choices))]

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) >= 100 - percent

    def number(self) -> int:
        self.made += 1
        return self.made

    # ---- the whole ----

    def program(self) -> str:
        blocks = [self.block(number) for number in range(self.random.randrange(5))]
        lines = ["input 4x8x8", *self.statements(Place(), self.random.randrange(1, 7))]
        lines += self.one(
            (
                ["pool avg global, flatten", "fc 3"],
                ["pool avg global, flatten", "fc 3, softmax"],
                ["conv 3, sigmoid"],
                ["pool max global", "flatten, fc 5, relu, dropout 0.5, fc 2"],
                [],
            )
        )
        return "\n".join([*blocks, LISTS, "network Net {", *indented(lines), "}", ""])

    def block(self, number: int) -> str:
        name = f"{self.one(('unit_', 'Part', 'cell', 'b', 'my_block_'))}{number}"
        kinds = [self.one(list(Kind)) for _ in range(self.random.randrange(4))]
        if not self.plain_blocks():
            kinds = [kind for kind in kinds if kind is not Kind.UNIT]
        kinds = list(dict.fromkeys(kinds))
        names = tuple((self.one(NAMES[kind]), kind) for kind in kinds)
        optional = self.random.randrange(len(names) + 1)
        defaults = tuple(
            self.value(kind, Place()) if at >= len(names) - optional else ""
            for at, (_, kind) in enumerate(names)
        )
        halves = Kind.STRIDE in kinds
        place = Place(names, keeps=not halves)
        lines = self.statements(place, self.random.randrange(1, 5))
        if halves:
            stride = next(name for name, kind in names if kind is Kind.STRIDE)
            lines.insert(0, f"conv {self.width(place)} 3x3 stride={stride} same")
        self.blocks.append(Known(name, names, defaults, halves))
        listed = [
            f"{name}={default}" if default else name
            for (name, _), default in zip(names, defaults, strict=True)
        ]
        head = f"block {name}({', '.join(listed)}) {{"
        return "\n".join([*self.remark(), head, *indented(lines), "}", ""])

    def remark(self) -> list[str]:
        return [f"# Remark {self.number()}."] if self.chance(20) else []

    # ---- statements ----

    def statements(self, place: Place, count: int) -> list[str]:
        lines: list[str] = []
        for _ in range(count):
            found, place = self.statement(place)
            lines += found
        return lines

    def statement(self, place: Place) -> tuple[list[str], Place]:
        draw = self.random.randrange(100)
        if place.depth < 3:
            if draw >= 82:
                return self.labelled(self.form(place), place)
            if draw >= 70:
                return self.labelled(self.loop(place), place)
            if draw >= 62:
                return self.choice(place), place
        if draw >= 48 and self.blocks:
            return self.call(place)
        if draw >= 38 and place.labels:
            return self.reference(place)
        if draw >= 35:
            name = f"v{self.number()}"
            kind = self.one((Kind.WIDTH, Kind.COUNT, Kind.FLAG))
            line = f"let {name} = {self.value(kind, place)}"
            return [line], place._replace(names=(*place.names, (name, kind)))
        if draw >= 30 and not place.keeps and place.halvings < 2:
            return [self.one(HALVING)], place._replace(halvings=place.halvings + 1)
        if draw >= 24:
            channels = self.one((4, 8))
            return self.labelled([f"conv {channels} 1x1"], place, channels, always=True)
        return self.labelled([self.layer(place)], place)

    def labelled(
        self, lines: list[str], place: Place, channels: int = 0, always: bool = False
    ) -> tuple[list[str], Place]:
        if not (always or self.chance(25)) or lines[0].startswith("let"):
            return lines, place
        if "," in lines[0] and len(lines) == 1:
            return lines, place
        taken = {label.name for label in place.labels}
        free = [name for name in LABELS if name not in taken]
        if not free:
            return lines, place
        label = Label(self.one(free), place.halvings, channels)
        return [f"{label.name}: {lines[0]}", *lines[1:]], place._replace(
            labels=(*place.labels, label)
        )

    def layer(self, place: Place) -> str:
        draw = self.random.randrange(10)
        layers = [name for name, kind in place.names if kind is Kind.LAYER]
        if draw >= 8 and layers:
            return self.one(layers)
        if draw >= 7:
            rates = [name for name, kind in place.names if kind is Kind.RATE]
            return f"{self.one(('dropout', 'droppath'))} {self.one([*rates, '0.2'])}"
        if draw >= 4:
            kernel = self.value(Kind.KERNEL, place)
            return f"conv {self.width(place)} {kernel} same{self.one(('', ', bn', ', bn, relu'))}"
        return self.one(PLAIN)

    def call(self, place: Place) -> tuple[list[str], Place]:
        block = self.one(self.blocks)
        units = [name for name, kind in place.names if kind is Kind.UNIT]
        if units and self.chance(50):
            return [self.one(units)], place
        if block.halves and (place.keeps or place.halvings > 1):
            return [self.layer(place)], place
        if block.halves:
            place = place._replace(halvings=place.halvings + 9)  # nobody knows how many
        words = [block.name]
        named = False
        for (name, kind), default in zip(block.parameters, block.defaults, strict=True):
            if default and self.chance(40):
                named = True
                continue
            value = self.value(kind, place)
            named = named or self.chance(50)
            words.append(f"{name}={tight(value)}" if named else bracketed(value))
        return self.labelled([" ".join(words)], place)

    def reference(self, place: Place) -> tuple[list[str], Place]:
        near = [label for label in place.labels if label.halvings == place.halvings]
        if not near:
            return [self.layer(place)], place
        label = self.one(near)
        draw = self.random.randrange(10)
        if draw >= 9 and not place.path:
            return [f"from {label.name}"], place
        if draw >= 6 and label.channels:
            word = self.one(("add", "mul", "maximum"))
            return [f"conv {label.channels}, {word} {label.name}"], place
        other = self.one(near)
        names = label.name if other is label else f"{label.name} {other.name}"
        first = self.one((["conv 4"], ["relu"], [])) if other is not label else ["conv 4"]
        return [*first, f"concat {names}", f"conv {self.one((4, 8))}"], place

    def loop(self, place: Place) -> list[str]:
        inner = place._replace(keeps=True, depth=place.depth + 1)
        draw = self.random.randrange(10)
        if draw >= 7:
            index = f"i{self.number()}"
            head = f"repeat {bracketed(self.value(Kind.COUNT, place))} as {index} {{"
            inner = inner._replace(names=(*inner.names, (index, Kind.COUNT)))
        elif draw >= 4:
            head = f"repeat {bracketed(self.value(Kind.COUNT, place))} {{"
        else:
            kinds = [self.one((Kind.WIDTH, Kind.KERNEL, Kind.FLAG, Kind.LAYER))]
            if self.chance(40):
                kinds.append(Kind.WIDTH)
            names = tuple((f"n{self.number()}", kind) for kind in kinds)
            items = []
            for _ in range(self.random.randrange(1, 4)):
                values = [self.value(kind, place) for kind in kinds]
                items.append(values[0] if len(values) == 1 else f"({', '.join(values)})")
            head = f"for {', '.join(n for n, _ in names)} in [{', '.join(items)}] {{"
            inner = inner._replace(names=(*inner.names, *names))
        return [head, *indented(self.statements(inner, self.random.randrange(1, 4))), "}"]

    def choice(self, place: Place) -> list[str]:
        inner = place._replace(keeps=True, depth=place.depth + 1)
        arm = indented(self.statements(inner, self.random.randrange(1, 3)))
        lines = [f"if {self.condition(place)} {{", *arm]
        if self.chance(25):
            arm = indented(self.statements(inner, self.random.randrange(1, 3)))
            lines += [f"}} else if {self.condition(place)} {{", *arm]
        if self.chance(50):
            lines += ["} else {", *indented(self.statements(inner, self.random.randrange(1, 3)))]
        return [*lines, "}"]

    def form(self, place: Place) -> list[str]:
        inner = place._replace(keeps=True, depth=place.depth + 1)
        path = inner._replace(path=True)
        width = self.width(place)
        draw = self.random.randrange(12)
        if draw >= 11:
            return self.lists(path)
        if draw >= 8:
            body = self.statements(path, self.random.randrange(1, 4))
            body.append(f"conv {width}{self.one(('', ', bn', ', bn, droppath 0.2'))}")
            kind = self.one(("", "", " shortcut=match", " shortcut=project", " shortcut=pad"))
            scale = " scale=0.5" if self.chance(10) else ""
            return [f"residual{kind}{scale} {{", *indented(body), "}"]
        if draw >= 7:
            return ["residual {", *indented([*self.statements(path, 1), "conv channels"]), "}"]
        if draw >= 6:
            body = self.statements(path, 2)
            return ["dense {", *indented([*body, "conv 4"]), "}", f"conv {width}"]
        if draw >= 5:
            lines = ["let full = channels", "pool avg global, conv 2, relu, conv full, sigmoid"]
            return ["gate {", *indented(lines), "}"]
        if draw >= 4:
            lines = ["split {", *self.path(path, ()), *self.path(path, ()), "}"]
            return [*lines, f"conv {width}"]
        if draw >= 3 and not place.path:
            return self.head(inner)
        word = self.one(("inception", "concat", "add", "mul", "maximum", "residual"))
        ends = () if word in ("inception", "concat") else (f"conv {width}",)
        paths = [self.path(path, ends), self.path(path, ends)]
        if word != "residual" and self.chance(30):
            paths.append(self.path(path, ends))
        lines = [line for found in paths for line in found]
        return [f"{word} {{", *lines, "}", *([] if ends else [f"conv {width}"])]

    def lists(self, place: Place) -> list[str]:
        """A list of maps, something that is made of it, and their sum or the like."""
        number = self.number()
        maps, width = f"maps{number}", self.width(place)
        ends = (f"conv {width}",)
        paths = [self.path(place, ends) for _ in range(1 + self.random.randrange(3))]
        lines = ["relu", f"{maps}: list {{", *[line for path in paths for line in path], "}"]
        draw = self.random.randrange(7)
        if draw == 6:
            part = self.one(("", "[0..1]", "[1..len({maps})]")).format(maps=maps)
            lines += [f"from {maps}[-1]", f"for map{number} in {maps}{part} {{"]
            lines += [f"  conv {width}{self.one(('', ', bn'))}", f"  add map{number}", "}"]
            return [*lines, f"conv {width}"]
        if draw == 0:
            lines += [f"list {{ | from {maps} | from {maps}[0], conv {width} }}"]
        elif draw == 1:
            names = (*place.names, (f"i{number}", Kind.COUNT))
            body = self.statements(place._replace(names=names, labels=()), self.random.randrange(3))
            head = f"  for map{number} in {maps} as i{number} {{"
            inner = [f"      {line}" for line in (*body, *ends)]
            lines += ["list {", head, f"    | from map{number}", *inner, "  }", "}"]
        elif draw == 2:
            lines += [f"both {maps}[0] {maps} {width}"]
        elif draw == 3:
            lines += [f"repeat {bracketed(self.value(Kind.COUNT, place))} {{ each {width} }}"]
        elif draw == 4:
            new = f"new{number}"
            lines += [f"from {maps}[-1]", f"repeat {self.one(('1', '2', '3'))} {{"]
            lines += [f"  concat {{ | from {maps} }}", f"  {new}: conv {width}"]
            lines += [f"  carry {maps}={maps} + [{new}]", "}", f"from {maps}"]
        else:
            lines += [f"repeat {self.one(('1', '2', '3'))} {{", f"  each {width}", "}"]
        return [*lines, self.one(("add", "maximum", "mul", "concat")), f"conv {width}"]

    def path(self, place: Place, ends: Sequence[str]) -> list[str]:
        lines = [*self.statements(place, self.random.randrange(3)), *ends]
        return ["  |", *(f"    {line}" for line in lines)]

    def head(self, place: Place) -> list[str]:
        body = self.statements(place._replace(path=True), self.random.randrange(3))
        end = self.one(("flatten, fc 3", "fc 3, softmax", "conv 3"))
        pool = "pool avg global" if "conv" in end else "pool avg global, flatten"
        lines = [*body, f"{pool}, {end.removeprefix('flatten, ')}"]
        return ["aux {", *indented(lines), "}"]

    # ---- values ----

    def value(self, kind: Kind, place: Place) -> str:
        if kind is Kind.WIDTH:
            return self.width(place)
        names = [name for name, found in place.names if found is kind]
        if kind is Kind.COUNT:
            several = [f"max(0, {name} - 1)" for name in names] + [f"{name} + 1" for name in names]
            return self.one(["1", "2", "3", "0", *names, *several])
        if kind is Kind.KERNEL:
            counts = [name for name, found in place.names if found is Kind.COUNT]
            several = [f"2*{name} + 1" for name in counts if name.startswith("i")]
            return self.one(["1", "3", "3x1", "5", *names, *several])
        if kind is Kind.FLAG:
            return self.one(["on", "off", *names])
        if kind is Kind.RATE:
            return self.one(["0", "0.1", "0.25", *names])
        if kind is Kind.LAYER:
            return self.one([*ACTIVATIONS[:5], *names])
        if kind is Kind.UNIT:
            return self.one([*self.plain_blocks(), *names])
        return self.one(["1", "2", *names])

    def width(self, place: Place) -> str:
        names = [name for name, found in place.names if found is Kind.WIDTH]
        several = [f"2*{name}" for name in names] + [f"{name} + 4" for name in names]
        return self.one(["8", "4", "12", "channels", *names, *names, *several])

    def condition(self, place: Place) -> str:
        found = ["channels > 8", "on"]
        for name, kind in place.names:
            if kind is Kind.FLAG:
                found += [name, f"not {name}"]
            elif kind is Kind.COUNT:
                found += [f"{name} == 0", f"{name} > 1", f"{name} % 2 == 0"]
            elif kind is Kind.WIDTH:
                found += [f"{name} != channels", f"{name} > 4"]
        return self.one(found)

    def plain_blocks(self) -> list[str]:
        """Those that can be called without saying anything."""
        return [known.name for known in self.blocks if all(known.defaults) and not known.halves]


def indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def bracketed(value: str) -> str:
    return f"({value})" if " " in value and not value.endswith(")") else value


def tight(value: str) -> str:
    return bracketed(value)


def written(random: Random) -> str:
    return Writer(random).program()


def compiled(text: str) -> Network | None:
    """The network of a program, if its shapes fit and it is not too large."""
    try:
        network = elaborate(load_program(Source("net.cnn", text)), max_layers=400)
    except SpecError:
        return None
    weights = sum(max(weight.shape, default=1) for node in network.nodes for weight in node.weights)
    return network if weights < 20_000 else None


def programs() -> st.SearchStrategy[str]:
    return st.randoms(use_true_random=False).map(written)


def drawn(text: str) -> Network:
    network = compiled(text)
    if network is None:
        reject()
    return network
