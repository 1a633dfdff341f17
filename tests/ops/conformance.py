"""The harness for every operation of the language: `dotcnn.testing`, and what draws arguments.

- conform(op, (3, 8, 8)): all of it, for one operation on one input (or several);
- refuses(op, (3, 8, 8)): what must not be accepted, by us and by torch;
- attempt(op, (3, 8, 8)): one or the other, for arguments drawn at random;
- operations(Conv, out=…): a strategy that draws arguments from the signature;
- maps(), vectors(), pairs(): strategies for shapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.shapes import Shape, ShapeError, axes_of
from dotcnn.testing.built import Built, build, values
from dotcnn.testing.layer_checks import conform, fitted, leaving

__all__ = [
    "Built", "attempt", "build", "conform", "fitted", "leaving", "maps", "operations", "pairs",
    "refuses", "values", "vectors",
]  # fmt: skip

torch.set_num_threads(1)

TORCH_REFUSES = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
"""What torch raises for arguments or shapes that do not fit."""


# ---- refusing ---------------------------------------------------------------------------------


def refuses(op: Op, *shapes: Shape, match: str | None = None, stricter: bool = False) -> str:
    """Asserts that the operation refuses its arguments or what arrives, and that torch does so too.

    match: a pattern for the message.
    stricter: torch would accept it; the test says why we do not.
    Returns the message and the help, for tests that want to see more of them.
    """
    op = fitted(op, *shapes)
    with pytest.raises((ShapeError, ArgumentError)) as refused:
        leaving(op, *shapes)
    error = refused.value
    told = f"{error.message}\n{error.help}".strip()
    assert re.search(match or "", told), f"{told!r} does not match {match!r}"
    assert re.search(r"[^.]$", error.message), f"no message, or a sentence: {error.message!r}"
    if not stricter:
        assert _torch_refuses(op, shapes), f"torch accepts {op} on {shapes}; we say: {told}"
    return told


def attempt(op: Op, *shapes: Shape, stricter: str | None = None, **how: Any) -> None:
    """Conforms, or refuses where torch does.

    stricter: a pattern for those messages of ours that torch does not share; the test says why.
    how: what `conform` takes.
    """
    op = fitted(op, *shapes)
    try:
        leaving(op, *shapes)
    except (ShapeError, ArgumentError) as error:
        known = stricter is not None and re.search(stricter, error.message) is not None
        refuses(op, *shapes, stricter=known)
    else:
        conform(op, *shapes, **how)


def _torch_refuses(op: Op, shapes: Sequence[Shape]) -> bool:
    """The shape that leaves is made up, since there is none: texts hardly need it."""
    op = op.settle(())
    ones = (1,) * (axes_of(shapes[0]) or 2)
    try:
        built = build(op, *shapes, output=(getattr(op, "out", shapes[0][0]), *ones))
        built.train(True)
        built.forward(*(torch.randn(2, *shape) for shape in shapes))
    except (*TORCH_REFUSES, ShapeError, ArgumentError):
        return True
    return False


# ---- drawing ----------------------------------------------------------------------------------


@st.composite
def operations(draw: st.DrawFn, cls: type[Op], axes: int = 2, **overrides: Any) -> Op:
    """An operation with arguments that its signature allows; its `check` may still refuse them.

    axes: the number of spatial axes that sizes are drawn for.
    overrides: for an argument by name, a strategy or a value that replaces what would be drawn.
    """
    given: dict[str, Any] = {}
    for name, field in cls.fields.items():
        if name in overrides:
            chosen = overrides[name]
            given[name] = draw(chosen) if isinstance(chosen, st.SearchStrategy) else chosen
        elif field.required or draw(st.booleans()):
            given[name] = draw(st.sampled_from(values(field, axes)))
    return cls(**given).on_axes(axes)


def maps(
    channels: Any = None, side: int = 9, least: int = 1, axes: int = 2
) -> st.SearchStrategy[Shape]:
    """Shapes of small maps."""
    sides = [st.integers(least, side)] * axes
    return st.tuples(st.integers(1, 6) if channels is None else channels, *sides)


def vectors() -> st.SearchStrategy[Shape]:
    return st.tuples(st.integers(1, 8))


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))
