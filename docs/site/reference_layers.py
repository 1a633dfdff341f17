"""The reference of layers, a page each: arguments, formula, shapes, costs, field, gradient,
names in other tools, a drawing. All of it is asked of the class of the layer and of its example.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, prod
from pathlib import Path

from dotcnn.compiler.network import Node
from dotcnn.compiler.ops.activation import Activation
from dotcnn.compiler.ops.base import EVERYTHING, POINT, Op
from dotcnn.compiler.ops.merge import Input
from dotcnn.compiler.ops.worked import Element
from dotcnn.compiler.report.words import INPUT_OF_EXAMPLES, example_of, layers, tools
from dotcnn.compiler.shapes import by, named, text

from .pages import Page, arguments, fenced, paragraphs, printed, slug, table, usage

KINDS = {
    "conv": "Convolutions",
    "linear": "Fully connected",
    "pool": "Pooling",
    "attention": "Attention",
    "norm": "Normalization",
    "activation": "Activations",
    "dropout": "Dropout",
    "shape": "Shapes",
    "filter": "Fixed filters",
}

_GRADIENT = ("gradient", "backward", "dx")
"""Names of the lines of `cnn explain` that are about the backward pass."""


def pages(work: Path) -> Iterator[Page]:
    """All pages; `work` is a folder for the specs and drawings of the examples."""
    for kind in sorted(layers(), key=lambda each: list(KINDS).index(each.kind)):
        yield Page(f"layers/{slug(kind.word)}", kind.word, _layer(kind, work), KINDS[kind.kind])


def _layer(kind: type[Op], work: Path) -> str:
    node = example_of(kind)
    spec = work / "example.cnn"
    body = (
        [kind.example, "flatten"]
        if issubclass(kind, Input)
        else [f"input {INPUT_OF_EXAMPLES}", kind.example]
    )
    example = "\n".join(["network Example {", *(f"  {line}" for line in body), "}"])
    spec.write_text(example + "\n", encoding="utf-8")
    picture = spec.with_name(f"{slug(kind.word)}.svg")
    printed("draw", str(spec), "-o", str(picture), "--horizontal", "--unfold")
    # The name in the head line and the place of the spec say nothing here.
    arithmetic = printed("explain", str(spec), node.name).split("\n\n", 1)[-1]
    signature = kind.signature()
    lines = [f"# `{kind.word}`", paragraphs(kind.__doc__), usage(str(signature))]
    lines += arguments(signature)
    lines += ["## Formula", *_formula(kind, node)]
    lines += ["## Shapes", f"It works on {_axes(kind)}.", table(("", ""), _shapes(node))]
    lines += ["## Costs, in the example", table(("", ""), _costs(node))]
    lines += ["## Receptive field", _field(node)]
    lines += ["## Gradient", *gradient(kind, node), _kept(node)]
    lines += ["## Example", fenced(example, "cnn"), f"![drawing of the example]({picture.name})"]
    lines += ["`cnn explain` says of it:", fenced(arithmetic)]
    lines += ["## In other tools", table(("tool", "name"), tools(kind, node))]
    return "\n\n".join(lines)


def _formula(kind: type[Op], node: Node) -> Iterator[str]:
    if kind.arithmetic:
        yield "C, H, W are channels, height and width of the input."
        yield fenced(kind.arithmetic)
    if isinstance(node.op, Activation):
        if not kind.arithmetic:
            yield fenced(f"y = {node.op.rule()}")
        if type(node.op).value is not Activation.value:
            yield _plot(node.op)
    elif not kind.arithmetic:
        yield fenced("\n".join(f"{name}: {line}" for name, line in _explained(node)))


def _explained(node: Node) -> list[tuple[str, str]]:
    return node.op.explain(node.shape, *node.input_shapes)


def _axes(kind: type[Op]) -> str:
    """What it works on, by the number of spatial axes."""
    known = {1: "series", 2: "maps of images", 3: "volumes"}
    return named([known[n] for n in kind.spatial_axes]) or "vectors"


def _shapes(node: Node) -> Iterator[tuple[str, str]]:
    yield "input", " and ".join(map(text, node.input_shapes)) or "none: it is the input"
    yield "output", text(node.shape)
    for name, line in _explained(node):
        if name in ("height", "width", "channels", "numbers", "shape", "length"):
            yield name, line


def _costs(node: Node) -> Iterator[tuple[str, str]]:
    op, shapes = node.op, node.input_shapes
    weights = op.weights(*shapes)
    trained = sum(prod(each.shape) for each in weights if each.trainable)
    others = sum(prod(each.shape) for each in weights if not each.trainable)
    held = ", ".join(f"`{each.name}` {by(each.shape) or 'one number'}" for each in weights)
    yield "parameters", f"{trained:,}" + (f"; {others:,} in buffers" if others else "")
    if held:
        yield "tensors", held
    yield "multiply-adds", f"{op.macs(node.shape, *shapes):,}"
    yield "other operations", f"{op.elementwise(node.shape, *shapes):,}"


def _field(node: Node) -> str:
    window = node.op.window(node.shape, *node.input_shapes)
    if window == EVERYTHING:
        return "Every output sees the whole map."
    if window == POINT:
        return "Every output sees the place where it is: the receptive field stays as it was."
    assert not isinstance(window, str)
    size, stride = by(window.size), "x".join(map(str, window.stride))
    return (
        f"In the example, an output sees {size} places of the input, and its neighbors windows"
        f" that are {stride} apart. `cnn report` has the field in pixels, after all layers."
    )


def gradient(kind: type[Op], node: Node) -> list[str]:
    """The backward pass: in formulas, or as `cnn explain` works it out."""
    if vars(kind).get("gradient"):
        return ["dy is the gradient of the output, dx that of the input.", fenced(kind.gradient)]
    lines = [
        f"{name}: {line}"
        for name, line in node.op.examples(node.shape, *node.input_shapes)
        if any(word in name for word in _GRADIENT)
    ]
    return [fenced("\n".join(lines))] if lines else []


def _kept(node: Node) -> str:
    kept = node.op.kept(node.shape, *node.input_shapes)
    parts = ["its input"] if kept.inputs else []
    parts += ["its output"] if kept.output else []
    parts += [f"{kept.own:,} further numbers for each image"] if kept.own else []
    parts += [f"{kept.fixed:,} bytes for each image"] if kept.fixed else []
    parts += [f"{kept.once:,} statistics for a batch"] if kept.once else []
    parts += [f"{kept.filters:,} numbers of computed filters"] if kept.filters else []
    return f"Kept for the backward pass: {', '.join(parts) or 'nothing'}."


def _plot(op: Activation) -> str:
    """The function and its slope from -4 to 4, as a picture."""
    steps = [index / 20 for index in range(-80, 81)]
    values = [_value(op, x) for x in steps]
    slopes = [(_value(op, x + 1e-4) - _value(op, x - 1e-4)) / 2e-4 for x in steps]
    lines = "".join(
        f'<polyline class="{name}" points="{" ".join(_points(steps, numbers))}"/>'
        for name, numbers in (("slope", slopes), ("value", values))
        if all(map(isfinite, numbers))
    )
    return (
        '<figure class="plot"><svg viewBox="-4.2 -4.2 8.4 6.4" role="img"'
        f' aria-label="{op.word} and its slope">'
        '<path class="axis" d="M-4 0H4M0 -4V2M-1 -.08V.08M1 -.08V.08M-.08 -1H.08M-.08 1H.08"/>'
        f"{lines}</svg><figcaption>y (solid) and dy/dx (dashed), from -4 to 4; marks at 1"
        "</figcaption></figure>"
    )


def _points(steps: list[float], values: list[float]) -> Iterator[str]:
    for x, y in zip(steps, values, strict=True):
        if -2 <= y <= 4:
            yield f"{x:g},{0 - y:.3g}"


def _value(op: Activation, x: float) -> float:
    """What a vector of this number becomes; a learned slope has its initial value."""
    initial = getattr(op, "init", 0.0)
    element = Element((0,), (1,), [(1,)], lambda *_: x, lambda *_: initial)
    return op.value(x, element)[1]
