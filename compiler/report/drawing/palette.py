"""The colors of drawings: one for each kind of layer, for light and dark screens."""

from __future__ import annotations

from typing import NamedTuple


class Tint(NamedTuple):
    fill: str
    stroke: str
    dark_fill: str
    dark_stroke: str
    meaning: str


# Also distinguishable with red-green color blindness: the two with similar hues, `pool` and
# `activation`, differ in lightness.
TINTS: dict[str, Tint] = {
    "input": Tint("#ffffff", "#4a5361", "#262b33", "#c3cad4", "input, output"),
    "conv": Tint("#dbe9fb", "#3670b8", "#1c3350", "#78aef0", "convolution"),
    "filter": Tint("#d3eff1", "#17808a", "#123c40", "#57c3cd", "fixed filter"),
    "linear": Tint("#e9defa", "#7449bd", "#35264f", "#b294ec", "fully connected"),
    "pool": Tint("#fde2d0", "#c4611d", "#4d2a14", "#f0985c", "pooling"),
    "attention": Tint("#fbdde3", "#b83a55", "#4d1a27", "#ef8296", "attention"),
    "norm": Tint("#e6eaee", "#6b7885", "#2d333a", "#9fabb8", "normalization"),
    "activation": Tint("#fff4c7", "#a68200", "#453a0c", "#e0bf3f", "activation"),
    "dropout": Tint("#f3e6ee", "#a3507f", "#43253a", "#d88bb8", "dropout"),
    "shape": Tint("#f0f0f0", "#808080", "#303030", "#a8a8a8", "shape"),
    "merge": Tint("#d8f1e2", "#278a55", "#173d29", "#5fcb92", "paths meet"),
    "part": Tint("#f6f0e4", "#8a7647", "#3a3323", "#cbb783", "part of several layers"),
}
"""By `Op.kind`; `part` is for parts drawn as one box because of `--depth`."""


class Ink(NamedTuple):
    light: str
    dark: str


PAGE = Ink("#ffffff", "#15181d")
TEXT = Ink("#1b222c", "#e8ebef")
FAINT = Ink("#5d6875", "#9aa5b3")
LINE = Ink("#7b8794", "#8590a0")
FRAME = Ink("#c2c9d2", "#434c58")
GROUND = Ink("#f7f8fa", "#1c2026")
"""The background of frames; more opaque the deeper they are nested."""
BADGE = Ink("#35404d", "#cdd5de")

PAINTS: dict[str, tuple[Ink | None, Ink | None]] = {
    "page": (PAGE, None),
    "ink": (TEXT, None),
    "faint": (FAINT, None),
    "line": (None, LINE),
    "head": (LINE, None),
    "frame": (GROUND, FRAME),
    "badge": (BADGE, None),
    "badge-text": (PAGE, None),
    **{
        kind: (Ink(tint.fill, tint.dark_fill), Ink(tint.stroke, tint.dark_stroke))
        for kind, tint in TINTS.items()
    },
}
"""What a color is called in drawings: fill and stroke."""
