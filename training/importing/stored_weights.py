"""Weights from files of their own, brought into the layers of a network and into their layout, as
compiler/importing/graph.py says where they are. Every wrong pairing is a diagnostic that names the
layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from ...compiler.importing.graph import Graph, Stored
from ...compiler.shapes import Shape, text
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile

MOST = 20
"""Diagnostics; more of them say nothing new."""

Fetch = Callable[[Stored], Any]
"""From where a weight lies to its array; None if the file does not have it."""


def give(graph: Graph, fetch: Fetch, file: str) -> Graph:
    """Gives every layer its weights; raises SpecError, with the layer's place, for those that are
    missing, of another shape, or no numbers."""
    wrong: list[Diagnostic] = []
    for stored in graph.stored:
        wanted = stored.layer.wanted.get(stored.key)
        if wanted is None:
            continue
        if not stored.owner:
            stored.layer.weights[stored.key] = _constant(stored.constant, wanted)
            continue
        found = fetch(stored)
        message = _misfit(found, stored, file)
        if message:
            help = "" if wrong else "are these the weights of this network?"
            wrong.append(Diagnostic("weights", message, stored.layer.span, help=help))
            if len(wrong) >= MOST:
                break
            continue
        stored.layer.weights[stored.key] = in_our_order(found, stored, wanted)
    if wrong:
        raise SpecError(wrong)
    given = [layer.weights for layer in graph.layers if layer.weights]
    if any(_is_double(array) for weights in given for array in weights.values()):
        for weights in given:
            weights.update({key: numpy.asarray(a, numpy.float64) for key, a in weights.items()})
    return graph


def _is_double(array: Any) -> bool:
    return bool(array.dtype == numpy.float64)


def _misfit(found: Any, stored: Stored, file: str) -> str:
    name = f"`{stored.name}` of `{'.'.join(stored.owner)[:80]}`"
    if found is None:
        return f"{file} has no {name}"
    if found.shape != stored.shape:
        has, needs = (text(shape) or "one number" for shape in (found.shape, stored.shape))
        return f"{name} has the shape {has} in {file}, and {needs} is needed"
    if found.dtype.kind == "f" and not numpy.isfinite(found).all():
        return f"{name} has numbers in {file} that are infinite or NaN"
    if stored.key == "running_var" and found.size and found.min() < 0:
        return f"{name} has variances below 0 in {file}"
    return ""


def in_our_order(found: Any, stored: Stored, wanted: Shape) -> Any:
    """An array as the layer has it."""
    if stored.part is not None:
        found = found[stored.part]
    if stored.flat:
        found = found[_order(stored.flat)]
    if stored.axes:
        found = found.transpose(stored.axes)
    dtype = numpy.float64 if _is_double(found) else numpy.float32
    return numpy.ascontiguousarray(found.reshape(wanted), dtype)


def _order(maps: tuple[Shape, ...]) -> Any:
    """Where each number of maps gone through channels first is, when channels come last."""
    places: list[Any] = []
    start = 0
    for channels, *sides in maps:
        count = channels
        for side in sides:
            count *= side
        places.append(start + numpy.arange(count).reshape(-1, channels).T.ravel())
        start += count
    return numpy.concatenate(places)


def _constant(values: tuple[float, ...], wanted: Shape) -> Any:
    several = numpy.asarray(values, numpy.float32)
    if several.size == 1:
        return numpy.full(wanted, several[0])
    return several.reshape(wanted)


def refused(error: BadFile, file: str) -> SpecError:
    """Why a file of weights cannot be used."""
    code = error.kind if error.kind == "missing-package" else "weights"
    return SpecError([Diagnostic(code, f"{file} {error}", file=file, help=error.help)])
