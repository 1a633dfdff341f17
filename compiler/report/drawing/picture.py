"""The contents of a drawing before layout: boxes, frames around them, arrows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...network import Node, Scope
from .palette import TINTS


@dataclass(eq=False)
class Frame:
    """A frame around the boxes of a part of the network."""

    title: str
    parent: Frame | None
    count: int = 1
    repeats: list[str] = field(default_factory=list)
    """What it repeats, if anything: the names of the first iterations."""
    name: str = ""
    """The scope that it encloses."""
    label: str = ""
    """Its label in the spec."""
    only_name: bool = False
    """Whether its title is only its name."""
    aux: bool = False
    """Whether it is an auxiliary head."""
    inside_aux: bool = False
    shared: bool = False
    """Whether it applies another part once more, with the same weights."""
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    number: int = 0


@dataclass(eq=False)
class Box:
    kind: str
    frame: Frame
    main: str
    """The main line, in bold."""
    label: str = ""
    """Its label in the spec."""
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    """Further lines, before and after the main line."""
    nodes: list[Node] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    """The names of all layers that it stands for: also those of iterations that are not drawn."""
    part: Scope | None = None
    """The scope that is drawn as this box."""
    tooltip: str = ""
    """The tooltip."""
    output: str = ""
    """Its output shape; for several iterations, from the first to the last."""
    count: int = 1
    repeats: list[str] = field(default_factory=list)
    """What it repeats, if anything: the names of the first iterations."""
    aux: bool = False
    shared: bool = False
    """Whether its weights are those of another box."""
    number: int = 0
    figures: list[str] = field(default_factory=list)
    """Lines with figures, below all others."""

    @property
    def dashed(self) -> bool:
        """Whether its outline is dashed: it is there in training only, or has no weights of its
        own."""
        return self.aux or self.shared

    @property
    def joins(self) -> str:
        """How it merges paths: `add`, `mul`, `concat`; "" if it does not."""
        return self.nodes[0].op.short_word if self.kind == "merge" and self.nodes else ""

    @property
    def small(self) -> bool:
        """Whether it is drawn as a pill: merges, and the beginning and end of the network."""
        return self.kind in ("merge", "input")

    def lines(self) -> list[tuple[str, bool]]:
        """Its text, and the index of the main line."""
        parts = [(f"{self.label}:" if self.label else "", False)]
        parts += [(" · ".join(self.before), False), (self.main, True)]
        parts.append((" · ".join(self.after), False))
        parts += [(figure, False) for figure in self.figures]
        return [(line, main) for line, main in parts if line]


@dataclass(frozen=True, eq=False)
class Arrow:
    source: Box
    target: Box
    labeled: bool
    """Whether it shows the output shape of its source."""
    straight: bool
    """Whether it is the only arrow from its source or to its target, shortcuts excepted."""


@dataclass
class Picture:
    title: str
    subtitle: str
    root: Frame
    boxes: list[Box]
    frames: list[Frame]
    """The frames, outer ones first, without the root."""
    arrows: list[Arrow]

    def kinds(self) -> list[str]:
        """The kinds of layers that occur, in the order of the legend."""
        used = {box.kind for box in self.boxes}
        return [kind for kind in TINTS if kind in used]


def frames_in(root: Frame) -> list[Frame]:
    """All frames inside, outer ones first."""
    frames: list[Frame] = []
    stack = list(reversed(root.frames))
    while stack:
        frame = stack.pop()
        frames.append(frame)
        stack.extend(reversed(frame.frames))
    return frames


def boxes_in(frame: Frame) -> list[Box]:
    """All boxes in a frame and in the frames inside, in the order of computation."""
    boxes = [box for each in (frame, *frames_in(frame)) for box in each.boxes]
    return sorted(boxes, key=lambda box: box.number)
