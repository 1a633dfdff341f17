"""Einstein sums of two tensors as permutations and one product of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...compiler.importing.tensors.program import Operand
from .lowering import Lowering, shape


def einsum_calls(to: Lowering, equation: str, tensors: Sequence[Operand]) -> Operand | None:
    """None if it is not a product of two tensors in which every letter stands once in each."""
    text = equation.replace(" ", "")
    before, _, out = text.partition("->")
    letters = before.split(",")
    if len(tensors) != 2 or len(letters) != 2 or "->" not in text or "." in text:
        return None
    if any(len({*each}) < len(each) for each in (*letters, out)):
        return None
    one, two = letters
    if {*out} != {*one} ^ {*two} | ({*one} & {*two} & {*out}):
        return None  # a letter is summed of one tensor alone
    sizes = dict(zip(one, shape(tensors[0]), strict=True))
    sizes |= dict(zip(two, shape(tensors[1]), strict=True))
    both = [each for each in one if each in two and each in out]
    summed = [each for each in one if each in two and each not in out]
    left = [each for each in one if each not in two]
    right = [each for each in two if each not in one]

    def count(group: list[str]) -> int:
        return prod(sizes[each] for each in group)

    def laid(x: Operand, have: str, *groups: list[str]) -> Operand:
        order = [have.index(each) for group in groups for each in group]
        lead = [sizes[each] for each in both]
        return to.reshape(to.permute(x, order), [*lead, *map(count, groups[1:])])

    first = laid(tensors[0], one, both, left, summed)
    second = laid(tensors[1], two, both, summed, right)
    made = to.matmul(first, second)
    order = [*both, *left, *right]
    made = to.reshape(made, [sizes[each] for each in order])
    return to.permute(made, [order.index(each) for each in out])
