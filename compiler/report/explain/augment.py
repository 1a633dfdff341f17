"""`cnn explain FILE augment`: which directives are combined, why others are not, and the cost."""

from __future__ import annotations

from collections.abc import Iterator

from ...language.values import spelled
from ...plan.augment.passes import COLOR, INSIDE, RESIZE, WARP
from ...plan.fusion import (
    Fusion,
    Pass,
    Step,
    color_matrices,
    inner_borders,
    mixes_channels,
    needs_mean,
)
from ...shapes import by
from ...shapes import text as shape_text
from ..figures import data_size, plural, short
from ..style import BOLD, PLAIN, Style, laid_out, wrapped

_NOUNS = {0: "images", 2: "series", 4: "scans"}
"""What samples are called, by the length of their shape."""


def explain_augment(fusion: Fusion, style: Style = PLAIN) -> list[str]:
    """The explanation as lines; [] without augmentation."""
    summary = in_short(fusion)
    if not summary:
        return []
    size = shape_text(fusion.sample or (fusion.channels, *fusion.input_size))
    batch = ", for a whole batch at once" if fusion.passes else ""
    noun = _NOUNS[len(fusion.sample)]
    lines = wrapped(f"{summary}{batch}; {noun} are {size}", style, code=BOLD)
    for step in fusion.read:
        what = step.directive.title_when_read
        text = f"`{step.directive.as_written}` is done when images are read"
        text += f": {what}." if what else "."
        lines += wrapped(text, style)
    for number, pass_ in enumerate(fusion.passes, 1):
        before = len(fusion.passes) - fusion.on_spectrogram
        if fusion.spectrogram is not None and number == before + 1:
            lines += ["", *wrapped(_spectrogram(fusion), style)]
        title = _title(pass_).replace("images", noun)
        lines += ["", *wrapped(f"{number}. {title}", style, code=BOLD)]
        lines += laid_out(list(_lines(pass_)), style, "   ")
    lines.append("")
    if fusion.spectrogram is not None and not fusion.on_spectrogram:
        lines += wrapped(_spectrogram(fusion), style)
    for directive in fusion.after:
        last = f"Last, `{directive.as_written}` resizes each batch to the size of its epoch."
        lines += wrapped(last, style)
    if fusion.normalizes:
        text = "Normalization (`normalize`) is a multiplication and an addition at the end."
        lines += wrapped(text, style)
    cost = fusion.cost
    total = (
        f"Per {noun if noun == 'series' else noun[:-1]}: {short(cost.macs)} multiply-adds,"
        f" {data_size(cost.bytes)} read and written."
    )
    return lines + wrapped(total, style)


def _spectrogram(fusion: Fusion) -> str:
    directive = fusion.spectrogram
    assert directive is not None
    made = shape_text(fusion.input)
    then = "; what follows changes that" if fusion.on_spectrogram else ""
    return f"Then `{directive.as_written}` computes the spectrogram, {made}{then}."


def in_short(fusion: Fusion) -> str:
    """A summary; "" if images are only resized."""
    directives = {step.number for pass_ in fusion.passes for step in pass_.steps}
    texts = [step.directive.title_when_read for step in fusion.read]
    texts = [text for text in texts if text]
    if directives:
        passes = len(fusion.passes)
        count = "1 pass" if passes == 1 else f"{passes} passes"
        texts.append(f"{plural(len(directives), 'directive')} in {count}")
    if fusion.after:
        texts.append("a resize by epoch")
    return ", then ".join(texts)


def _title(pass_: Pass) -> str:
    if pass_.kind != COLOR:
        return pass_.kind.title
    count = len(color_matrices(pass_))
    return f"colors: {'one matrix' if count == 1 else f'{count} matrices'} for each image"


def _lines(pass_: Pass) -> Iterator[tuple[str, str]]:
    if pass_.why:
        yield "apart", pass_.why
    for index, step in enumerate(pass_.steps):
        yield ("does" if index == 0 else ""), _directive_text(step, pass_)
    yield from (("", line) for line in _notes(pass_))
    cost = pass_.cost
    yield "costs", f"{short(cost.macs)} multiply-adds, {data_size(cost.bytes)}"


def _directive_text(step: Step, pass_: Pass) -> str:
    """The directive, or the part of it that belongs to the pass."""
    whole, part = step.directive.as_written, step.directive.written_in(step.kind)
    return f"{part}, of `{whole}`" if part else whole


def _notes(pass_: Pass) -> Iterator[str]:
    if pass_.input_size != pass_.output_size:
        yield f"from {by(pass_.input_size)} to {by(pass_.output_size)}"
    if pass_.kind == WARP:
        yield from _of_warp(pass_)
    elif pass_.kind == RESIZE:
        yield pass_.steps[0].directive.smoothing_note(pass_.input_size)
    elif pass_.kind == COLOR:
        yield from _of_colors(pass_)
    elif pass_.kind.clips:
        yield "values are clipped to 0..255 after it"
    if pass_.normalizes:
        yield "normalization (`normalize`) is part of the matrix"


def _of_colors(pass_: Pass) -> Iterator[str]:
    matrices = color_matrices(pass_)
    if matrices[-1][-1].change.largest > 1:
        yield "values are clipped to 0..255 after " + ("it" if len(matrices) == 1 else "each")
    for matrix in matrices:
        words = ", ".join(part.change.name for part in matrix)
        size = "3x4" if mixes_channels(matrix) else "a factor and an offset"
        mean = ", with the mean of the image" if needs_mean(matrix) else ""
        which = f"{words}: " if len(matrices) > 1 else ""
        yield f"{which}{size}{mean}"


def _of_warp(pass_: Pass) -> Iterator[str]:
    if pass_.fill == INSIDE:
        return
    fill = pass_.fill if isinstance(pass_.fill, str) else _color(pass_.fill)
    count = inner_borders(pass_)
    between = ", and beyond " + ("a border" if count == 1 else f"{count} borders") + " in between"
    yield f"beyond the image{between if count else ''}: {fill}"


def _color(fill: tuple[float, ...]) -> str:
    return "zero" if not any(fill) else spelled(fill if len(fill) > 1 else fill[0])
