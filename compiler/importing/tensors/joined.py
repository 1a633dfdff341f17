"""Joins calls that one layer computes: padding and the convolution or pool behind it, the factor of
queries and the product with keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from .program import Call, Operand, Program

_PADDED = {"conv": 0.0, "avg_pool": 0.0, "max_pool": float("-inf")}
"""What the layer itself takes the padding for."""
_LAYOUT = ("reshape", "permute", "slice", "select", "expand")


def join(program: Program, reads: Mapping[int, int]) -> None:
    """`reads` says by identity how often each call is read."""
    for call in program.calls:
        if call.function in _PADDED:
            _join_padding(call)
        elif call.function == "matmul":
            call.settings = {**call.settings, "scale": _join_factors(call, reads)}


def _join_padding(call: Call) -> None:
    source = call.operands[0]
    if not isinstance(source, Call) or source.function != "pad":
        return
    sides, value = source.settings["sides"], source.settings["value"]
    if source.settings["mode"] != "constant" or value != _PADDED[call.function]:
        return
    if any(map(any, sides[:2])) or min(map(min, sides)) < 0:
        return
    own = call.settings["pad"]
    if call.function == "avg_pool" and not call.settings["count_pad"]:
        return
    if call.settings.get("ceil") and any(map(any, sides)):
        return  # a window beyond the padding is not counted in the same way
    sums = tuple([(a + c, b + d) for (a, b), (c, d) in zip(sides[2:], own, strict=True)])
    call.operands = (source.operands[0], *call.operands[1:])
    call.settings = {**call.settings, "pad": sums}


def _join_factors(call: Call, reads: Mapping[int, int]) -> float:
    """What both matrices are multiplied by, which is taken off them."""
    factor = 1.0
    operands = list(call.operands)
    for place, operand in enumerate(operands):
        holder: Call | None = None
        at: Operand = operand
        while isinstance(at, Call) and at.function in _LAYOUT and reads.get(id(at), 0) == 1:
            holder, at = at, at.operands[0]
        while isinstance(at, Call) and at.function in ("mul", "div"):
            number = _number(at)
            if number is None:
                break
            factor *= number
            at = at.operands[1] if isinstance(at.operands[0], (int, float)) else at.operands[0]
            if holder is None:
                operands[place] = at
            else:
                holder.operands = (at, *holder.operands[1:])
    call.operands = tuple(operands)
    return factor


def _number(call: Call) -> float | None:
    one, two = call.operands
    if isinstance(two, (int, float)) and two:
        return float(two) if call.function == "mul" else 1 / two
    if isinstance(one, (int, float)) and call.function == "mul":
        return float(one)
    return None
