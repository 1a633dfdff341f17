"""Fixed filters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.language.values import Text, Word
from dotcnn.compiler.ops.filter import KNOWN, Filter, Rows
from dotcnn.compiler.shapes import Shape
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses

# A filter of zeros at its border would see less than it covers.
numbers = st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0])


def rows(sizes: tuple[int, int]) -> st.SearchStrategy[Rows]:
    row = st.tuples(*[numbers] * sizes[1])
    return st.tuples(*[row] * sizes[0])


@given(
    operations(
        Filter,
        values=st.sampled_from(sorted(KNOWN)) | pairs(1, 4).flatmap(rows),
        same_upper=False,
    ),
    maps(st.integers(1, 3)),
)
def test_any_filter(op: Filter, shape: Shape) -> None:
    attempt(op, shape, stricter="`same`", edges=op.mode == "zeros")


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_uneven_padding(mode: str) -> None:
    op = Filter(values=((1.0, 2.0), (3.0, 4.0)), same_upper=True, mode=mode)
    conform(op, (2, 5, 4), edges=mode == "zeros")


def read(value: Any) -> Any:
    return Filter.fields["values"].read(value)


EXPECTED = ((0, 1, 1), (1, 0, 0), (1, 0, 1))


@pytest.mark.parametrize(
    "value",
    [
        [[0, 1, 1], [1, 0, 0], [1, 0, 1]],
        [0, 1, 1, 1, 0, 0, 1, 0, 1],
        Text("0 1 1 / 1 0 0 / 1 0 1"),
        Text("0 1 1\n1 0 0\n1 0 1"),
        Text("0, 1, 1; 1, 0, 0; 1, 0, 1"),
        Text("0 1 1 1 0 0 1 0 1"),
    ],
)
def test_rows_of_your_own(value: object) -> None:
    assert read(value) == EXPECTED


def test_a_filter_need_not_be_a_square() -> None:
    assert read([[1, 0, -1]]) == ((1, 0, -1),)
    assert read([1, 0, -1]) == ((1, 0, -1),)
    assert read([[1], [0.5]]) == ((1,), (0.5,))
    assert read([[1, 2, 3, 4]]) == ((1, 2, 3, 4),)


@pytest.mark.parametrize(
    "value",
    [
        *([], [[]], [[1, 2], [3]], 3, True, [[1, Word("x")]], [[True]], [[1, [2]]], [10**400]),
        *(Text(""), Text("a b / c d"), Text("1 2 / 3"), Text("1 nan / 2 3"), Text("1 / / 2")),
    ],
)
def test_what_is_no_filter(value: object) -> None:
    with pytest.raises(ArgumentError, match="is not a filter") as refused:
        read(value)
    assert refused.value.help == ("write its rows, like `filter [[0, 1, 1], [1, 0, 0], [1, 0, 1]]`")


@pytest.mark.parametrize("word", ["sobel", "scharr"])
def test_of_two_both_are_named(word: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{word}_x` and `{word}_y`") as refused:
        read(Word(word))
    assert f"`{word}_x`" in refused.value.help
    assert f"`{word}_y`" in refused.value.help


@pytest.mark.parametrize(("word", "meant"), [("laplace", "laplacian"), ("gaussian", "blur")])
def test_a_name_that_is_nearly_right(word: str, meant: str) -> None:
    with pytest.raises(ArgumentError, match="is not one of") as refused:
        read(Word(word))
    assert refused.value.instead == meant


def test_the_filter_of_the_textbook() -> None:
    lines = """81 2 209 44 71 58 / 24 56 108 98 12 112 / 91 0 189 65 79 232 /
               12 0 0 5 1 71 / 2 32 23 58 8 208 / 4 23 2 1 3 9"""
    image = torch.tensor([[float(n) for n in line.split()] for line in lines.split("/")])
    built = build(Filter(values=read(Text("0 1 1 / 1 0 0 / 1 0 1"))), (1, 6, 6))
    assert built.forward(image[None, None])[0, 0, 0, :2].tolist() == [515, 374]


def test_directions() -> None:
    """`_x` finds what becomes brighter to the right, `_y` what does downwards."""
    right = torch.arange(5.0).expand(1, 1, 5, 5)
    down = right.transpose(2, 3)
    for name, factor in (("sobel", 8), ("scharr", 32)):
        across = build(Filter(values=f"{name}_x"), (1, 5, 5)).forward
        along = build(Filter(values=f"{name}_y"), (1, 5, 5)).forward
        assert across(right).unique().tolist() == along(down).unique().tolist() == [factor]
        assert across(down).unique().tolist() == along(right).unique().tolist() == [0]


def test_what_filters_do_to_an_even_map() -> None:
    even = torch.full((1, 1, 4, 4), 3.0)
    after = {
        name: build(Filter(values=name), (1, 4, 4)).forward(even).unique().tolist()
        for name in KNOWN
    }
    assert after.pop("blur") == after.pop("sharpen") == [3]
    assert all(value == [0] for value in after.values())


def test_nothing_is_trained() -> None:
    op = Filter(values="sobel_x", same=True)
    (weight,) = op.weights((3, 6, 6))
    assert (weight.shape, weight.trainable) == ((1, 1, 3, 3), False)
    assert op.macs((3, 6, 6), (3, 6, 6)) == 3 * 6 * 6 * 9
    assert op.explain((3, 6, 6), (3, 6, 6)) == [
        ("height", "(6 + 2*1 - 3)/1 + 1 = 6"),
        ("width", "(6 + 2*1 - 3)/1 + 1 = 6"),
        ("filter", "-1 0 1 / -2 0 2 / -1 0 1"),
        ("parameters", "none: the 9 numbers are not trained"),
        ("multiply-adds", "3*6*6 outputs * 1*3*3 = 972"),
    ]
    text = op.torch((3, 6, 6), (3, 6, 6))
    assert str(text.module) == (
        "FixedFilter([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], padding=1)"
    )


def test_what_a_filter_refuses() -> None:
    refuses(Filter(values="blur"), (1, 2, 8), match="spans 3 does not fit into 2")
    refuses(Filter(values="blur"), (16,), match="`filter` needs a map")
