"""Positions that are told apart by vectors for each distance, times queries (BoTNet, HaloNet). The
code that gives each pair of a query and a key its distance is written in many ways, with padding
and slices; so it is not read but computed, for random queries, and compared with what our layer
computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..readers import evaluation_part
from .known import computed, reshaped
from .program import Call, Constant, Operand, Program

MOST_CALLS = 60
"""Between queries and the scores that are added."""
MOST_SCORES = 1 << 22
_TABLES = 2
_CLOSE = 1e-4


def find_relative(program: Program) -> None:
    """Sums of scores with such a term become `add_relative` of the scores and both tables."""
    for call in program.calls:
        if call.function != "add" or len(call.operands) != _TABLES:
            continue
        for scores, added in (call.operands, call.operands[::-1]):
            product = _product(scores)
            if product is None or not isinstance(added, Call):
                continue
            queries = product.operands[0]
            tables = _tables(added, queries) if isinstance(queries, Call) else None
            if tables is not None:
                call.function, call.operands = "add_relative", (scores, *tables)
                break


def _product(scores: Operand) -> Call | None:
    """The product with the keys, before it is scaled."""
    while isinstance(scores, Call) and scores.function == "mul":
        scores = next((each for each in scores.operands if isinstance(each, Call)), None)
    return scores if isinstance(scores, Call) and scores.function == "matmul" else None


def _tables(added: Call, queries: Call) -> tuple[Constant, Constant] | None:
    """The vectors of distances along height and width."""
    between = _between(added, queries)
    if between is None or len(added.shape) < 3:
        return None
    linears = [call for call in between if call.function == "linear"]
    tables = [call.operands[1] for call in linears]
    if len(tables) != _TABLES or any(call.operands[2] is not None for call in linears):
        return None
    one, two = tables
    if not isinstance(one, Constant) or not isinstance(two, Constant):
        return None
    *_, count, keys = added.shape
    if queries.shape[-2] != count or count * keys > MOST_SCORES:
        return None
    probe = evaluation_part().probe((1, *queries.shape[1:]), one.value)
    theirs = _computed(between, queries, Constant(probe, ""))
    if theirs is None:
        return None
    for height, width in ((one, two), (two, one)):
        sides = [(each.shape[0] + 1) // 2 for each in (height, width)]
        if prod(sides) != keys:
            continue
        for inside in _sizes(sides, count):
            if _alike(theirs, probe, height, width, inside, sides):
                return height, width
    return None


def _sizes(sides: Sequence[int], count: int) -> list[list[int]]:
    """Sizes of a window in queries, of which keys may be read around it, and which may be at every
    second place."""
    windows = [[side - 2 * halo for side in sides] for halo in range(min(sides) // 2)]
    few = [[side // step for side in each] for each in windows for step in (1, 2, 4)]
    return [each for each in few if prod(each) == count]


def _between(added: Call, queries: Call) -> list[Call] | None:
    """The calls that lead from the queries to what is added, in order."""
    found: dict[int, Call] = {}
    stack = [added]
    while stack:
        call = stack.pop()
        if call is queries or id(call) in found:
            continue
        if call.function == "input" or not call.operands or len(found) >= MOST_CALLS:
            return None
        found[id(call)] = call
        stack += [each for each in call.operands if isinstance(each, Call)]
    return sorted(found.values(), key=lambda call: call.index)


def _computed(between: Sequence[Call], queries: Call, probe: Constant) -> Constant | None:
    """The scores for one image and head."""
    many = queries.shape[0]
    values: dict[int, Constant] = {id(queries): probe}
    result: Constant | None = None
    for call in between:
        if call.shape[0] % many:
            return None
        settings = dict(call.settings)
        if "to" in settings:
            first, *others = settings["to"]
            settings["to"] = (first // many, *others)
        operands = [values[id(each)] if isinstance(each, Call) else each for each in call.operands]
        result = computed(call.function, *operands, **settings)
        if result is None or result.shape != (call.shape[0] // many, *call.shape[1:]):
            return None
        values[id(call)] = result
    return result


def _alike(
    theirs: Constant,
    probe: object,
    height: Constant,
    width: Constant,
    inside: Sequence[int],
    sides: Sequence[int],
) -> bool:
    ours = evaluation_part().relative_scores(probe, height.value, width.value, inside, sides)
    same = reshaped(theirs, tuple(ours.shape)).value
    return bool(abs(same - ours).max() <= _CLOSE * abs(ours).max())
