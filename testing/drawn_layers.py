"""A layer with many arguments and inputs: each is held against torch, and built from a spec."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import cycle
from typing import Any

import torch

from ..compiler.build.elaborate import elaborate
from ..compiler.emit import emit
from ..compiler.emit.module import import_lines, plugin_imports
from ..compiler.extend.load_plugin import lent
from ..compiler.language.signature import ArgumentError
from ..compiler.language.words_in_force import belongs_to_the_language
from ..compiler.ops.base import Op
from ..compiler.shapes import LAYOUTS, Shape, ShapeError, axes_of, by, text
from ..dsl.diagnostics import SpecError
from ..dsl.program import load_program
from ..dsl.source import Source
from ..training.inference.load import construct
from .as_plugin import UNDER_TEST, of_class, refusal
from .built import values
from .checked import Checked
from .layer_checks import conform, fitted, leaving

CHANNELS = (1, 2, 3, 4, 6, 8, 12, 16)
SIDES = (4, 5, 6, 7, 8, 9)
MOST_DRAWN = 40
"""For each case, so many draws: most arguments do not fit most inputs."""


def check_layer(
    kind: type[Op],
    inputs: Sequence[Shape] | Sequence[Sequence[Shape]],
    cases: int,
    seed: int,
    *,
    uncounted: bool,
) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    given = [_several(each) for each in inputs]
    chance = random.Random(seed)
    drawn = _drawn(kind, given, chance)
    passed: set[int] = set()
    failed: set[int] = set()
    for _ in range(cases * MOST_DRAWN):
        if checked.tried >= cases or len(checked.failures) >= cases:
            break
        op, shapes = next(drawn)
        try:
            op = fitted(op, *shapes)
            leaving(op, *shapes)
        except (ShapeError, ArgumentError):
            checked.refused += 1
            continue
        checked.tried += 1
        failure = _failure(op, shapes, uncounted=uncounted)
        (failed if failure else passed).add(axes_of(shapes[0]))
        if failure:
            checked.failures.append(f"`{written(op)}` on {_arriving(shapes)}: {failure}")
    checked.hint = _of_axes(kind, passed, failed)
    if not checked.tried:
        checked.failures.append(
            f"it refused all {checked.refused} arguments and inputs that were drawn: name inputs"
            " that it takes, `conformance(…, inputs=[(8, 6, 6)])`"
        )
    return checked


def _of_axes(kind: type[Op], passed: set[int], failed: set[int]) -> str:
    """Advice for a layer that is right for some numbers of spatial axes alone."""
    right = sorted(passed - failed)
    if not right or not failed or 0 in passed | failed:
        return ""
    works, fails = (" and ".join(LAYOUTS[n] for n in some) for some in (right, sorted(failed)))
    axes = ", ".join(map(str, right)) + ("," if len(right) == 1 else "")
    return (
        f"it does for {works}, but not for {fails}; if it is not meant for those, write"
        f" `spatial_axes = ({axes})`"
    )


def _several(shapes: Any) -> tuple[Shape, ...]:
    """The shapes of one case: `(8, 6, 6)` is one input."""
    whole = tuple(shapes)
    return (whole,) if all(isinstance(size, int) for size in whole) else tuple(map(tuple, whole))


def _drawn(
    kind: type[Op], given: Sequence[tuple[Shape, ...]], chance: random.Random
) -> Iterator[tuple[Op, tuple[Shape, ...]]]:
    """Arguments and inputs, the usual ones first."""
    first = True
    for axes in cycle(kind.spatial_axes or (2,)):
        shapes = chance.choice(given) if given else _inputs(kind, axes, chance)
        axes = len(shapes[0]) - 1 if given else axes
        arguments: dict[str, Any] = {}
        for name, field in kind.fields.items():
            choices = values(field, axes) if not field.is_label else []
            if field.required or (not first and choices and chance.random() < 0.5):
                if not choices:
                    raise ValueError(f"no value of the argument `{name}` is known")
                arguments[name] = choices[0] if first else chance.choice(choices)
        first = False
        yield kind(**arguments), shapes


def _inputs(kind: type[Op], axes: int, chance: random.Random) -> tuple[Shape, ...]:
    """A map; for a layer that reads several, as many alike."""
    shape = (chance.choice(CHANNELS), *(chance.choice(SIDES) for _ in range(axes)))
    count = 1 if not kind.paths else max(len(kind.paths), 2)
    return (shape,) * (2 if kind.kind == "merge" and count == 1 else count)


def _failure(op: Op, shapes: Sequence[Shape], *, uncounted: bool) -> str:
    """What is wrong; "" if nothing is."""
    flops = 0 if uncounted else None
    sentence = ""
    for probe in ("gradient", "nan"):  # a maximum has a gradient at one place only
        try:
            conform(op, *shapes, flop_counter=flops, probe=probe, count=not uncounted)
            sentence = ""
            break
        except AssertionError as error:
            sentence = sentence or str(error)
            if "window" not in str(error):
                return str(error)
        except NotImplementedError:
            return _unanswered(op)
        except Exception as error:
            return f"{_where(op, error)}{type(error).__name__}: {error}"
    return sentence or (_from_a_spec(op, shapes[0]) if len(shapes) == 1 else "")


def _unanswered(op: Op) -> str:
    names = ("output", "macs", "elementwise", "kept", "torch")
    missing = [name for name in names if getattr(type(op), name) is getattr(Op, name)]
    return f"it does not define {', '.join(f'`{name}`' for name in missing) or 'everything'}"


def _where(op: Op, error: Exception) -> str:
    """`mine.py, line 12: `, the last line of the layer's own file that an error passed."""
    file = getattr(sys.modules.get(type(op).__module__), "__file__", None)
    at, found = error.__traceback__, ""
    while at is not None:
        if at.tb_frame.f_code.co_filename == file:
            found = f"{file}, line {at.tb_lineno}: "
        at = at.tb_next
    return found


def written(op: Op) -> str:
    """The layer as a spec writes it."""
    parts = [op.word]
    for name, field in op.fields.items():
        value = getattr(op, name)
        if field.is_flag:
            parts += [name] if value else []
        elif field.required or not field.is_usual(value):
            parts.append(f"{name}={field.show(value)}")
    return " ".join(parts)


def _arriving(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(by, shapes))


def _from_a_spec(op: Op, shape: Shape) -> str:
    """A network of this layer, from its text: compiled, emitted, checked and run."""
    line = written(op)
    own = belongs_to_the_language(type(op))
    use = "" if own else f'use "{UNDER_TEST}"\n'
    arriving = f"input {by(shape)}"
    if axes_of(shape) == 1:  # `input 8x100` might be a gray image whose channel was left out
        arriving = f"let channels = {shape[0]}\n  input (channels, {shape[1]})"
    spec = f"{use}network Net {{\n  {arriving}\n  {line}\n}}\n"
    try:
        with nullcontext() if own else lent(of_class(type(op))):
            network = elaborate(load_program(Source("net.cnn", spec)))
            source = emit(network, "")
        module = construct(source, network.name, import_lines(plugin_imports(network)))
        with torch.no_grad():
            result = module.eval()(torch.randn(2, *shape))
    except SpecError as error:
        return f"written in a spec, it is refused: {error.diagnostics[0].message}"
    except AssertionError:
        raise
    except Exception as error:
        return f"its emitted text does not run: {type(error).__name__}: {error}"
    if tuple(result.shape[1:]) != network.output.shape:
        said, did = text(network.output.shape), text(tuple(result.shape[1:]))
        return f"its emitted text gives {did}, and the network says {said}"
    return ""
