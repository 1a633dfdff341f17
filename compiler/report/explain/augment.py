"""`cnn explain FILE augment`: which directives are done together, why others are not, the cost."""

from __future__ import annotations

from collections.abc import Iterator

from ....dsl.render import show as printable
from ...plan.augment import Augmentation, Color, Crop, Resize
from ...plan.fields import spelled
from ...plan.fusion import (
    FREE,
    SHRINKS,
    Fusion,
    Pass,
    Step,
    frames,
    largest_part,
    matrices,
    mixes_channels,
    needs_mean,
)
from ...shapes import by
from ..figures import data_size, plural, short
from ..style import BOLD, PLAIN, Style, laid_out, wrapped


def explain_augment(fusion: Fusion, style: Style = PLAIN) -> list[str]:
    """As lines; none where nothing is augmented."""
    if not fusion.passes:
        return []
    size = f"{fusion.channels}x{by(fusion.arrives)}"
    title = f"{in_short(fusion)}, for a whole batch at once; images arrive as {size}"
    found = wrapped(title, style, code=BOLD)
    for step in fusion.read:
        found += wrapped(f"`{_as_written(step.directive)}` is done when images are read.", style)
    for number, one in enumerate(fusion.passes, 1):
        found += ["", *wrapped(f"{number}. {_title(one)}", style, code=BOLD)]
        found += laid_out(list(_lines(one)), style, "   ")
    found.append("")
    if fusion.normalizes:
        text = "What pixels become (`normalize`) is a multiplication and an addition at the end."
        found += wrapped(text, style)
    cost = fusion.cost
    total = f"An image: {short(cost.macs)} multiply-adds, {data_size(cost.bytes)} read and written."
    return found + wrapped(total, style)


def in_short(fusion: Fusion) -> str:
    """Empty where nothing is left to do but what is done when images are read."""
    directives = {step.number for one in fusion.passes for step in one.steps}
    if not directives:
        return ""
    passes = len(fusion.passes)
    count = "1 pass" if passes == 1 else f"{passes} passes"
    return f"{plural(len(directives), 'directive')} in {count}"


_TITLES = {
    "move": "pixels are moved as they are",
    "warp": "pixels are moved: one matrix for each image, one look between them",
    "resize": "images are made smaller",
    "hue": "hues are turned",
    "noise": "noise",
    "blur": "blur",
    "erase": "a part is blotted out",
    "policy": "changes of a list",
    "mix": "images are mixed, and their labels",
}


def _title(one: Pass) -> str:
    if one.kind != "colour":
        return _TITLES[one.kind]
    count = len(matrices(one))
    return f"colours: {'one matrix' if count == 1 else f'{count} matrices'} for each image"


def _lines(one: Pass) -> Iterator[tuple[str, str]]:
    if one.why:
        yield "apart", one.why
    for index, step in enumerate(one.steps):
        yield ("does" if index == 0 else ""), _said(step, one)
    yield from (("", line) for line in _notes(one))
    cost = one.cost
    yield "costs", f"{short(cost.macs)} multiply-adds, {data_size(cost.bytes)}"


def _said(step: Step, one: Pass) -> str:
    """The directive, or that part of it that belongs to the pass."""
    directive: Augmentation = step.directive
    if isinstance(directive, Color) and directive.hue is not None:
        linear = directive.brightness or directive.contrast or directive.saturation
        if one.kind == "hue" and linear:
            return f"color hue={_range(directive.hue)}, of `{_as_written(directive)}`"
        if one.kind == "colour":
            return f"{directive.replace(hue=None)}"
    return _as_written(directive)


def _as_written(directive: Augmentation) -> str:
    """On one line."""
    if directive.span is None:
        return str(directive)
    return printable(" ".join(directive.span.text.split()))


def _range(range: tuple[float, float]) -> str:
    return f"{spelled(range[0])}..{spelled(range[1])}"


def _notes(one: Pass) -> Iterator[str]:
    if one.arrives != one.leaves:
        yield f"from {by(one.arrives)} to {by(one.leaves)}"
    if one.kind == "warp":
        yield from _of_warp(one)
    elif one.kind == "resize" and isinstance(one.steps[0].directive, Crop):
        factor = largest_part(one.steps[0])
        yield (
            f"up to {factor:.2g} pixels become one, each way, which four alone do not stand for;"
            f" up to {SHRINKS:g} they would"
        )
    elif one.kind == "resize" and isinstance(one.steps[0].directive, Resize):
        yield "smoothed where that makes images smaller"
    elif one.kind == "colour":
        yield from _of_colours(one)
    elif one.kind == "noise":
        yield "what leaves 0..255 is cut off behind it"
    if one.normalizes:
        yield "what pixels become (`normalize`) is part of the matrix"


def _of_colours(one: Pass) -> Iterator[str]:
    found = matrices(one)
    if found[-1][-1].most > 1:
        yield "what leaves 0..255 is cut off behind " + ("it" if len(found) == 1 else "each")
    for shades in found:
        words = ", ".join(shade.what for shade in shades)
        size = "3x4" if mixes_channels(shades) else "a factor and an offset"
        mean = ", from the mean of the image" if needs_mean(shades) else ""
        which = f"{words}: " if len(found) > 1 else ""
        yield f"{which}{size}{mean}"


def _of_warp(one: Pass) -> Iterator[str]:
    if one.fill == FREE:
        return
    fill = one.fill if isinstance(one.fill, str) else _colour(one.fill)
    count = frames(one)
    between = ", and beyond " + ("a border" if count == 1 else f"{count} borders") + " in between"
    yield f"beyond the image{between if count else ''}: {fill}"


def _colour(fill: tuple[float, ...]) -> str:
    return "zero" if not any(fill) else spelled(fill if len(fill) > 1 else fill[0])
