"""What `cnn show` prints: the table of layers, maps as numbers, and one output worked out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...compiler.network import Node
from ...compiler.ops.worked import Worked, figure
from ...compiler.report.figures import plural
from ...compiler.report.grid import Column, grid
from ...compiler.report.style import BOLD, FAINT, HEAVY, Style, laid_out, wrapped
from ...compiler.report.wording import Wording
from ...compiler.shapes import LINES, text
from ...dsl.printable import show as printable
from ..display.number_format import amount_of
from .input_images import InputImage
from .layer_figures import STRONGEST, LayerSummary, strength, strongest, summary
from .run import Shown
from .subject import Subject

NUMBERS_UP_TO = 12
"""Maps of at most this many rows and columns are printed as numbers."""
_MOST_VALUES = 600
"""A network whose outputs have more numbers than this is shown as a table, not as numbers."""
_MOST_MAPS = 8
"""The most channels of a layer that are printed as numbers."""


def heading(subject: Subject, images: Sequence[InputImage], style: Style) -> list[str]:
    """Which network, with which weights, sees what."""
    weights = {
        "learned": "learned weights",
        "fixed": "nothing to learn",
        "random": "initial, random weights: --weights FILE shows what it has learned",
    }[subject.learned]
    names = ", ".join(printable(_named(subject, image)) for image in images[:3])
    more = f" and {len(images) - 3} more" if len(images) > 3 else ""
    network = f"{subject.network.name} ({printable(subject.name)})"
    lines = wrapped(f"{network}, {weights}", style, code=BOLD)
    first = images[0]
    inputs = subject.network.inputs
    if len(inputs) == 1:
        return [
            *lines,
            *wrapped(f"input: {names}{more}{_origin(subject, inputs[0], first)}", style),
        ]
    lines += wrapped(f"inputs: {names}{more}", style) if len(images) > 1 else []
    for node, part in zip(inputs, first.parts, strict=True):
        seen = f"{node.name}: {printable(part.name)}{_origin(subject, node, part)}"
        lines += wrapped(seen, style) if len(images) == 1 else []
    return lines


def _named(subject: Subject, image: InputImage) -> str:
    """The name of an image; of several inputs, with what each gets."""
    if len(image.parts) == 1:
        return image.name
    inputs = subject.network.inputs
    pairs = zip(inputs, image.parts, strict=True)
    return f"({', '.join(f'{node.name} {part.name}' for node, part in pairs)})"


def _origin(subject: Subject, node: Node, image: InputImage) -> str:
    if image.origin:
        return f"; {image.origin}"
    if image.pixels is None or image.name == "matrix":
        return ""
    return f"; {fitted(subject, image, node)}, {subject.preparation_for(node)[1]}"


def fitted(subject: Subject, image: InputImage, node: Node | None = None) -> str:
    """How an image came to the size of the input, in its own figures (height x width)."""
    node = node or subject.network.input
    shape = text(node.shape)
    fit, size = subject.preparation_for(node)[0].fit, image.size
    if size is None or fit.leaves(*size):
        return shape
    resized = fit.resized(*size)
    steps = [] if resized == size else [f"resized to {text(resized)}"]
    steps += [] if resized == fit.crop else [f"cropped to {text(fit.crop)}"]
    return f"{text(size)} pixels, {', '.join(steps)}: {shape}"


# ---- all layers --------------------------------------------------------------------------------


def fits_as_numbers(nodes: Sequence[Node]) -> bool:
    """Whether all layers together are few enough numbers to print."""
    values = 0
    for node in nodes:
        if not _as_numbers(node):
            return False
        values += math.prod(node.shape)
    return values <= _MOST_VALUES


def _as_numbers(node: Node) -> bool:
    """Whether its maps are small enough to be printed as numbers; a series fills a few lines."""
    if len(node.shape) == 2:
        return node.shape[1] <= NUMBERS_UP_TO**2
    few = len(node.shape) < 4 or math.prod(node.shape[1:]) <= _MOST_VALUES // 4
    return len(node.shape) == 1 or (few and max(node.shape[1:]) <= NUMBERS_UP_TO)


def layer_table(subject: Subject, summaries: Sequence[LayerSummary], style: Style) -> list[str]:
    """A row for each layer: its range, mean, zeros and dead channels."""
    wording = Wording(subject.network)
    columns: list[Column[LayerSummary]] = [
        Column("name", lambda row: row.node.name, yields=2, least=12, optional=False),
        Column("layer", lambda row: wording.layer(row.node), yields=1, least=20, wraps=True),
        Column("output", lambda row: text(row.node.shape), yields=3, least=9),
        Column("least", lambda row: _in_row(row.least, row), True, optional=False),
        Column("mean", lambda row: _in_row(row.mean, row), True, optional=False),
        Column("greatest", lambda row: _in_row(row.greatest, row), True, optional=False),
    ]
    remarks = []
    if any(row.zeros for row in summaries):
        columns.append(Column("zeros", lambda row: _share(row.zeros), True, yields=4))
        remarks.append("zeros: share of values that are exactly 0.")
    if any(row.dead for row in summaries):
        columns.append(Column("dead", lambda row: str(row.dead or ""), True, yields=5))
        remarks.append("dead: channels that are 0 everywhere.")

    def color(row: LayerSummary, column: str) -> str:
        return HEAVY if column == "dead" and row.dead else ""

    lines = grid([columns], summaries, style, color)
    bad = [row for row in summaries if row.bad]
    if bad:
        first = bad[0]
        remarks.insert(0, f"Not finite from {first.node.name} on ({first.bad:,} values there).")
    return [*lines, "", *wrapped(" ".join(remarks), style)] if remarks else lines


def _in_row(number: float, row: LayerSummary) -> str:
    """A number beside the others of its layer: three digits of the largest of them, so that columns
    stay narrow; a single digit of what is much less.
    """
    scale = max(abs(row.least), abs(row.greatest))
    if not 1e-4 <= scale < 1e6 or number == int(number):
        return figure(number)
    if abs(number) < scale / 1000:
        return re.sub(r"e(-?)0", r"e\1", f"{number:.0e}")
    decimals = max(2 - math.floor(math.log10(scale)), 0)
    shown = f"{number:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if decimals else shown


def _share(share: float) -> str:
    if not share:
        return ""
    percent = 100 * share
    return "<1 %" if percent < 0.5 else f"{percent:.0f} %"


def answers(
    subject: Subject, images: Sequence[InputImage], probabilities: Tensor | None, top: int = 3
) -> list[str]:
    """The most likely classes of each image, for a network that has learned classes."""
    if probabilities is None or subject.learned == "random":
        return []
    lines = []
    for image, row in zip(images, probabilities, strict=True):
        best = row.topk(min(top, len(row)))
        guesses = ", ".join(
            f"{subject.class_name(int(index))} ({100 * float(value):.1f} %)"
            for value, index in zip(best.values, best.indices, strict=True)
        )
        if not row.isfinite().all():
            guesses = "no finite probabilities"
        known = f" (labeled {printable(image.label)})" if image.label else ""
        lines.append(f"{printable(image.name)}{known}: {guesses}")
    return lines


def predicted_numbers(
    subject: Subject, images: Sequence[InputImage], answers: Tensor | None
) -> list[str]:
    """The numbers of each image, in the units of the data, for a network that predicts some."""
    task = subject.regression
    if answers is None or task is None:
        return []
    lines = []
    for image, row in zip(images, answers.tolist(), strict=True):
        each = zip(task.classes, row, task.deviations, strict=True)
        said = [f"{printable(name)} {amount_of(value, spread)}" for name, value, spread in each]
        more = f" and {len(said) - _NUMBERS} more" if len(said) > _NUMBERS else ""
        lines.append(f"{printable(image.name)}: {', '.join(said[:_NUMBERS])}{more}")
    return lines


_NUMBERS = 8


# ---- one layer ---------------------------------------------------------------------------------


def channel_table(output: Tensor, most: int, style: Style) -> list[str]:
    """A row for each of the strongest channels of a layer."""
    chosen = strongest(output, most)
    mean = strength(output)
    columns: list[Column[tuple[int, Tensor]]] = [
        Column("channel", lambda row: str(row[0]), True),
        Column("least", lambda row: figure(float(row[1].min())), True),
        Column("mean", lambda row: figure(float(row[1].mean())), True),
        Column("greatest", lambda row: figure(float(row[1].max())), True),
        Column("zeros", lambda row: _share(float((row[1] == 0).float().mean())), True),
        Column("mean magnitude", lambda row: figure(float(mean[row[0]])), True),
    ]
    rows = [(channel, output[:, channel].detach().float()) for channel in chosen]
    lines = grid([columns], rows, style)
    left_out = output.shape[1] - len(chosen)
    if left_out:
        lines += ["", *wrapped(f"{STRONGEST}; {plural(left_out, 'channel')} left out", style)]
    return lines


def numbers(output: Tensor, style: Style, indent: str = "  ") -> list[str]:
    """The values of one image's output of a layer: a vector, or maps of any number of axes."""
    if output.ndim == 1:
        return _vector(output, style, indent)
    chosen = list(range(len(output)))
    remark: list[str] = []
    if len(output) > _MOST_MAPS:
        chosen = strongest(output[None], _MOST_MAPS)
        left_out = plural(len(output) - len(chosen), "channel")
        remark = wrapped(f"{STRONGEST}; {left_out} left out", style, indent)
    lines: list[str] = []
    for channel in chosen:
        if len(output) > 1:
            lines.append(style.paint(f"{indent}channel {channel}", FAINT))
        if output.ndim == 2:
            lines += _vector(output[channel], style, indent)
        elif output.ndim == 3:
            lines += matrix(output[channel], indent)
        else:
            for place, each in enumerate(output[channel]):
                lines.append(style.paint(f"{indent}slice {place}", FAINT))
                lines += matrix(each, indent)
    return [*lines, *remark]


def matrix(values: Tensor, indent: str) -> list[str]:
    """Rows of numbers, in columns of one width."""
    rows = [[figure(float(value)) for value in row] for row in values]
    width = max(len(cell) for row in rows for cell in row)
    return [indent + "  ".join(cell.rjust(width) for cell in row) for row in rows]


def _vector(values: Tensor, style: Style, indent: str) -> list[str]:
    shown = [figure(float(value)) for value in values[:_MOST_VALUES]]
    width = max(map(len, shown))
    per_line = max((style.width - len(indent)) // (width + 2), 1)
    lines = [
        indent + "  ".join(cell.rjust(width) for cell in shown[start : start + per_line])
        for start in range(0, len(shown), per_line)
    ]
    left_out = len(values) - len(shown)
    return lines if not left_out else [*lines, f"{indent}and {left_out:,} more"]


def worked_lines(node: Node, worked: Worked, style: Style) -> list[str]:
    """One output of a layer with its arithmetic."""
    at = ", ".join(map(str, worked.at))
    axes = [line[:-1] for line in LINES[len(worked.at) - 1]] if len(worked.at) > 1 else []
    where = ", ".join(["channel", *axes]) if axes else "number"
    title = f"{node.name} at {at} ({where}): {worked.rule}"
    body = worked.lines() or [("", worked.formula)]
    return [*wrapped(title, style, code=BOLD), *laid_out(body, style)]


def layer_lines(shown: Shown, node: Node, style: Style) -> list[str]:
    """A layer's feature maps as numbers, or a table of its channels; and one output worked out."""
    lines: list[str] = []
    if not _as_numbers(node):
        lines += channel_table(shown.outputs[node.index], _MOST_CHANNELS, style)
    else:
        for place, image in enumerate(shown.images):
            name = printable(image.title) if len(shown.images) > 1 else node.name
            lines.append(f"{name}, {text(node.shape)}:")
            lines += numbers(shown.output(node, place), style)
    if node.inputs:
        lines += ["", *worked_lines(node, shown.worked(node, _first_position(shown, node)), style)]
    return lines


_MOST_CHANNELS = 16


def _first_position(shown: Shown, node: Node) -> tuple[int, ...]:
    """The output that is worked out if none is named: the first of the strongest channel; in large
    maps the middle, where nothing is padding."""
    if len(node.shape) == 1:
        return (0,)
    sides = node.shape[1:]
    channel = 0 if node.shape[0] <= _MOST_MAPS else strongest(shown.outputs[node.index], 1)[0]
    small = max(sides) <= NUMBERS_UP_TO
    return (channel, *(0 if small else side // 2 for side in sides))


def all_numbers(shown: Shown, nodes: Sequence[Node], style: Style) -> list[str]:
    """The outputs of all layers as numbers, and one output of the first layer worked out."""
    lines: list[str] = []
    wording = Wording(shown.subject.network)
    for place, image in enumerate(shown.images):
        if len(shown.images) > 1:
            lines += [style.paint(printable(image.title), BOLD)]
        for node in nodes:
            layer = f": {wording.layer(node)}" if node.inputs else ""
            lines.append(f"{node.name}{layer}, {text(node.shape)}")
            lines += [*numbers(shown.output(node, place), style), ""]
    first = next(node for node in nodes if node.inputs)
    return lines + worked_lines(first, shown.worked(first, _first_position(shown, first)), style)


# ---- for programs ------------------------------------------------------------------------------


def data_of(shown: Shown, layers: Sequence[Node], at: tuple[int, ...] | None) -> dict[str, Any]:
    """What is shown, for JSON."""
    subject = shown.subject
    nodes = [node for node in subject.network.nodes if node.index in shown.outputs]
    data: dict[str, Any] = {
        "network": subject.network.name,
        "weights": subject.learned,
        "images": [image.title for image in shown.images],
        "layers": [
            layer_data(summary(node, shown.outputs[node.index]))
            for node in nodes
            if not layers or node in layers
        ],
    }
    if len(layers) == 1:
        data["values"] = shown.outputs[layers[0].index].tolist()
        if layers[0].inputs:
            position = at if at is not None else _first_position(shown, layers[0])
            data["worked"] = [
                shown.worked(layers[0], position, place).data()
                for place in range(len(shown.images))
            ]
    if subject.regression is not None and shown.numbers is not None:
        data["numbers"] = dict(  # of each number, those of all images
            zip(subject.regression.classes, shown.numbers.T.tolist(), strict=True)
        )
    probabilities = shown.probabilities
    if probabilities is not None and subject.learned == "learned":
        data["probabilities"] = probabilities.tolist()
    return data


def layer_data(row: LayerSummary) -> dict[str, Any]:
    """The figures of a layer, for JSON."""
    return {
        "name": row.node.name,
        "layer": row.node.op.word or "input",
        "output": list(row.node.shape),
        "least": row.least,
        "mean": row.mean,
        "greatest": row.greatest,
        "zeros": row.zeros,
        "dead_channels": row.dead,
        "not_finite": row.bad,
    }
