"""What a drawing shows, before anybody knows where: boxes, frames around them, arrows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...network import Node, Scope
from .palette import TINTS


@dataclass(eq=False)
class Frame:
    """A part of the network, around its boxes."""

    title: str
    parent: Frame | None
    count: int = 1
    name: str = ""
    """Of the part of the network that it goes around."""
    label: str = ""
    """What the spec calls it."""
    only_name: bool = False
    """Its title says nothing but its name."""
    aux: bool = False
    """All of an auxiliary head."""
    inside_aux: bool = False
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    number: int = 0


@dataclass(eq=False)
class Box:
    kind: str
    frame: Frame
    main: str
    """What it is, in bold."""
    label: str = ""
    """What the spec calls it."""
    before: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    """What else happens in it, before and behind that."""
    nodes: list[Node] = field(default_factory=list)
    part: Scope | None = None
    """The scope of which the inside is not shown."""
    about: str = ""
    """More about it, for a tooltip."""
    leaves: str = ""
    """The shape of what leaves it; of several rounds, from the first to the last."""
    count: int = 1
    aux: bool = False
    number: int = 0

    @property
    def small(self) -> bool:
        """Drawn as a pill: where paths meet, and where the network begins and ends."""
        return self.kind in ("merge", "input")

    def lines(self) -> list[tuple[str, bool]]:
        """Its text, and which of it is the main line."""
        found = [(f"{self.label}:" if self.label else "", False)]
        found += [(" · ".join(self.before), False), (self.main, True)]
        found.append((" · ".join(self.behind), False))
        return [(line, main) for line, main in found if line]


@dataclass(frozen=True, eq=False)
class Arrow:
    source: Box
    target: Box
    labelled: bool
    """It carries the shape of what leaves its source."""
    straight: bool
    """The only way from its source, or to its target, that is no shortcut."""


@dataclass
class Picture:
    title: str
    subtitle: str
    root: Frame
    boxes: list[Box]
    frames: list[Frame]
    """Outer ones first, the root not among them."""
    arrows: list[Arrow]

    def kinds(self) -> list[str]:
        """Those that appear, in the order of the legend."""
        there = {box.kind for box in self.boxes}
        return [kind for kind in TINTS if kind in there]


def frames_in(root: Frame) -> list[Frame]:
    """Outer ones first."""
    found: list[Frame] = []
    stack = list(reversed(root.frames))
    while stack:
        frame = stack.pop()
        found.append(frame)
        stack.extend(reversed(frame.frames))
    return found
