"""Layers of Darknet: `[convolutional]` with lines such as `filters=32` below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...language import foreign, translate
from ...language.translate import Value, value_of
from .translation import Translation

_SECTION = re.compile(
    r"(?m)^[ \t]*\[(?P<kind>[a-z_A-Z]+)\][ \t]*(?:#[^\n]*)?"
    r"(?P<lines>(?:\n[ \t]*(?:[a-z_]+[ \t]*=[^\n]*|#[^\n]*)?(?=\n|\Z))*)"
)
_SETTING = re.compile(r"(?m)^[ \t]*([a-z_]+)[ \t]*=[ \t]*([^\n#]*)")


_SETTINGS = {"from_": "shortcut", "layers": "route", **dict.fromkeys(
    ("anchors", "mask", "num", "ignore_thresh", "truth_thresh", "iou_thresh", "coords"), "yolo",
)}  # fmt: skip
"""Settings that only layers without an equivalent have."""


def advice_on_setting(name: str) -> str:
    """Advice for a setting without its section: `from=-3`; "" if it is not one of Darknet's."""
    meaning = foreign.layer(_SETTINGS[name]) if name in _SETTINGS else None
    return meaning.advice if meaning else ""


def darknet_layers(text: str) -> Iterator[Translation]:
    """All Darknet sections in a text."""
    for found in _SECTION.finditer(text):
        whole = found.group().rstrip()
        start = found.start() + len(whole) - len(whole.lstrip())
        settings = {name: value.strip() for name, value in _SETTING.findall(found["lines"])}
        yield _translated(found["kind"], settings, start, found.start() + len(whole))


def _translated(kind: str, settings: dict[str, str], start: int, end: int) -> Translation:
    message = f"this is a layer of Darknet, `[{kind}]`"
    values = {name: _value(text) for name, text in settings.items()}
    if kind in ("net", "network"):
        sides = [settings.get(name, "") for name in ("channels", "height", "width")]
        written = f"input {'x'.join(sides)}" if all(s.isdigit() for s in sides) else None
        advice = "training settings go in `train { optimizer sgd lr=0.1 momentum=0.9, batch 64 }`"
        return Translation(start, end, message, written, advice)
    if kind == "crop":
        return Translation(start, end, message, "", "images are cropped by `augment { crop }`")
    statements = _statements(kind, values)
    if statements is None:
        meaning = foreign.layer(kind)
        advice = meaning.advice if meaning else "write the layer itself: `conv 32 3x3 same`"
        activation = foreign.layer(settings.get("activation", ""))
        if meaning and meaning.instead:
            advice = activation.advice if activation else "write the layer itself, without brackets"
        return Translation(start, end, message, None, advice)
    meaning = foreign.layer(kind)
    if meaning and statements == [meaning.instead]:  # a section without settings
        statements = [foreign.example(meaning)]
    return Translation(start, end, message, ", ".join(statements))


def _statements(kind: str, values: dict[str, Value]) -> list[str] | None:
    """The statements for a section; None if there is no such layer."""
    activation = values.pop("activation", value_of("linear"))
    normalized = values.pop("batch_normalize", value_of(0)).known
    name = {"avgpool": "GlobalAveragePool"}.get(kind, kind)
    side = values.get("size", value_of(0)).known
    if kind in ("convolutional", "deconvolutional", "maxpool"):
        # In Darknet, `pad=1` means half of the filter size, and pools of odd size are always
        # padded.
        padded = values.pop("pad", value_of(0)).known or (kind == "maxpool" and side in (3, 5, 7))
        if padded and side != 1:
            values["padding"] = value_of("same")
    if kind == "dropout":
        values = {"p": values.get("probability", value_of(0.5))}
    translated = translate.layer(name, [], values)
    if translated is None:
        return None
    flat = translate.layer("Flatten", [], {}) if kind == "connected" else None
    lines = [flat.text, translated.text] if flat else [translated.text]
    lines = [line.replace("same_upper", "same") for line in lines]
    if normalized:
        bn = translate.layer("batch_norm", [], {})
        lines += [bn.text] if bn else []
    behind = translate.activation(activation)
    if behind is None:
        return None
    slope = " 0.1" if activation.word == "leaky" else ""
    return [*lines, *([behind + slope] if behind else [])]


def _value(text: str) -> Value:
    for read in (int, float):
        try:
            return value_of(read(text))
        except ValueError:
            continue
    return value_of(text)
