"""Filters that are standardized where the network runs: `conv … standardize`."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any, NamedTuple

from .known import number_of, reshaped
from .program import Call, Constant, Operand


class Standardized(NamedTuple):
    weight: Constant
    eps: float
    scale: float | None
    """`gain=`: what filters are multiplied by, times the root of their size."""
    gain: Constant | None
    """The learned factor of each filter."""


def standardized(call: Call, values: Mapping[int, Any]) -> Standardized | None:
    """The filters that a call standardizes, written as the batch norm of each filter or as a layer
    norm; None if it does something else."""
    shape = call.shape
    norm = _norm(call)
    if norm is None:
        return None
    gain: Operand = None
    if norm.function == "batch_norm":
        x, gain, bias, mean, _ = norm.operands
        fits = mean is None and bias is None and norm.shape[:2] == (1, shape[0])
    elif norm.function == "layer_norm":
        x, gain, bias = (*norm.operands, None, None)[:3]
        fits = gain is None and bias is None and norm.settings["axes"][0] == 1
        fits = (
            fits and norm.shape[0] == shape[0] and len(norm.settings["axes"]) == len(norm.shape) - 1
        )
    else:
        return None
    weight = values[id(x)] if isinstance(x, Call) else x
    if not fits or not isinstance(weight, Constant):
        return None
    eps = norm.settings["eps"]
    if gain is None:
        return Standardized(reshaped(weight, shape), eps, None, None)
    factor, learned = _gain(gain)
    if learned is None or prod(learned.shape) != shape[0]:
        return None
    scale = factor * sqrt(prod(shape[1:]))
    # A number of the source such as 1.7871… stays it, though it was multiplied and divided.
    return Standardized(
        reshaped(weight, shape), eps, float(f"{scale:.12g}"), reshaped(learned, shape[:1])
    )


def _norm(call: Call) -> Call | None:
    """The normalization beneath reshapes."""
    at: Operand = call
    while isinstance(at, Call) and at.function == "reshape":
        (at,) = at.operands
    return at if isinstance(at, Call) else None


def _gain(gain: Operand) -> tuple[float, Constant | None]:
    factor = 1.0
    while isinstance(gain, Call):
        if gain.function == "mul":
            one, two = gain.operands
            number, other = (number_of(two), one) if not isinstance(two, Call) else (None, two)
            if number is None:
                number, other = (number_of(one) if not isinstance(one, Call) else None), two
            if number is None:
                return factor, None
            factor, gain = factor * number, other
        elif gain.function == "reshape":
            (gain,) = gain.operands
        else:
            return factor, None
    return factor, gain if isinstance(gain, Constant) else None
