"""Operations and directives with arguments: from the registries, so that new ones are covered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import dotcnn
from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.ops.base import REGISTRY as OPERATIONS
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import Directive
from dotcnn.compiler.report.words import example_of
from dotcnn.compiler.shapes import Shape, ShapeError
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.testing.built import values

CLASSES = 7

# ---- operations ----------------------------------------------------------------------------------


class Case(NamedTuple):
    """An operation with arguments, and the shapes that arrive."""

    name: str
    op: Op
    shapes: tuple[Shape, ...]


def operation_words() -> list[str]:
    return [word for word in OPERATIONS if word != "input"]


def operation_cases(word: str, each: int) -> Iterator[Case]:
    """The example of an operation (see `cnn help`); then, for each of its arguments, up to `each`
    other values."""
    node = example_of(OPERATIONS[word])
    shapes = tuple(node.input_shapes)
    yield Case(word, node.op, shapes)
    for name, field in node.op.fields.items():
        count = 0
        for value in values(field):
            if count == each:
                break
            op = node.op.replace(**{name: value})
            if op == node.op or not _fits(op, shapes):
                continue
            count += 1
            yield Case(f"{word} {name}={field.show(value)}", op.settle(()), shapes)


def _fits(op: Op, shapes: tuple[Shape, ...]) -> bool:
    try:
        op.check()
        op.output(*shapes)
    except (ShapeError, ArgumentError):
        return False
    return True


# ---- directives ----------------------------------------------------------------------------------

_TEXTS = ("50%", "100%", "0.8..1.2", "-5..10", "3", "1", "0.5", "(9, 80, 7)", "12x14")
"""Values of arguments; each argument takes those that it accepts."""


def directives(section: str) -> list[type[Directive]]:
    """The directives of a section, each once, also if it has synonyms."""
    return list(dict.fromkeys(DIRECTIVES[section].values()))


def augmentation(lines: str, size: int, batch: int = 16) -> TrainPlan:
    """The plan for a section `augment`; raises SpecError."""
    text = (
        f"network Net {{ input 3x{size}x{size}, conv 4, pool avg global, flatten, fc {CLASSES} }}\n"
        f"augment {{ {lines} }}\ntrain {{ batch {batch} }}"
    )
    return plan(dotcnn.compile(text), needs_data=False)


def augmentation_cases(
    kind: type[Directive], size: int, each: int
) -> Iterator[tuple[str, TrainPlan]]:
    """The example of a directive; for each of its arguments up to `each` other values; and the
    directive after a crop, which images do not get when they are read."""
    example = kind.shown().replace("256", str(size + 8))
    first = augmentation(example, size)
    yield example, first
    known = {tuple(map(str, first.augment))}
    head, comma, rest = example.partition(",")
    for field in kind.fields.values():
        count = 0
        for text in (*field.words, *_TEXTS):
            if count == each:
                break
            lines = f"{_without(head, field.name)} {field.name}={text}{comma}{rest}"
            try:
                found = augmentation(lines, size)
            except SpecError:
                continue
            key = tuple(map(str, found.augment))
            if key not in known:
                known.add(key)
                count += 1
                yield lines, found
    if getattr(kind, "when_read", False):
        lines = f"crop {size + 8} pad=4, {example}"
        yield lines, augmentation(lines, size)


def _without(head: str, name: str) -> str:
    """A statement without an argument that is given by name."""
    return " ".join(word for word in head.split() if not word.startswith(f"{name}="))
