"""Tensors that the network does not compute from its input: weights, and what the source computes
from them. Computing is left to training/importing/evaluate.py, as this package does without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..readers import evaluation_part
from .program import Call, Constant, Operand


def computed(function: str, *operands: Operand, **settings: Any) -> Constant | None:
    """The result of a function whose operands are known; None if it cannot be computed."""
    values = [each.value if isinstance(each, Constant) else each for each in operands]
    result = evaluation_part().evaluated(function, values, settings)
    names = [each.name for each in operands if isinstance(each, Constant)]
    return None if result is None else Constant(result, names[0] if names else "")


def reshaped(constant: Constant, to: Sequence[int]) -> Constant:
    if constant.shape == tuple(to):
        return constant
    result = computed("reshape", constant, to=tuple(to))
    assert result is not None
    return result


def permuted(constant: Constant, order: Sequence[int]) -> Constant:
    if [*order] == [*range(len(order))]:
        return constant
    result = computed("permute", constant, axes=tuple(order))
    assert result is not None
    return result


def rows(constant: Constant, blocks: int, start: int, stop: int) -> Constant:
    """The same rows of each block of rows."""
    count, *others = constant.shape
    apart = reshaped(constant, (blocks, count // blocks, *others))
    some = computed("slice", apart, axis=1, start=start, stop=stop)
    assert some is not None
    return reshaped(some, (blocks * (stop - start), *others))


def filled(number: float, like: Constant) -> Constant | None:
    """A weight of one number everywhere."""
    zero = computed("mul", like, 0.0)
    return zero and computed("add", zero, number)


def number_of(operand: Operand) -> float | None:
    """The value of a tensor of one number."""
    if isinstance(operand, Constant):
        if any(side != 1 for side in operand.shape):
            return None
        value: Any = operand.value
        return float(value.reshape(-1)[0])
    return operand if isinstance(operand, (int, float)) else None


def fold(call: Call) -> Constant | None:
    """What a call comes to if its operands are known."""
    if call.function == "input" or any(isinstance(each, Call) for each in call.operands):
        return None
    if not any(isinstance(each, Constant) for each in call.operands):
        return None
    result = computed(call.function, *call.operands, **call.settings)
    return result if result is not None and result.shape == call.shape else None
