"""Fixed filters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.language.values import Text, Word
from dotcnn.compiler.ops.filter import SIZED, TOGETHER, WORDS, BlurPool, Filter, Rows
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
        values=st.sampled_from(sorted(WORDS)) | pairs(1, 4).flatmap(rows),
        size=st.none(),
        sigma=st.none(),
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


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("laplace", "laplacian"),
        ("gauss", "gaussian"),
        ("mean", "box"),
        ("sobel_h", "sobel_y"),
        ("prewit_x", "prewitt_x"),
    ],
)
def test_a_name_that_is_nearly_right(word: str, meant: str) -> None:
    with pytest.raises(ArgumentError, match="is not one of") as refused:
        read(Word(word))
    assert refused.value.instead == meant


@pytest.mark.parametrize("word", ["median", "canny", "bilateral", "Erode"])
def test_what_is_not_linear(word: str) -> None:
    with pytest.raises(ArgumentError, match=f"{word} is not a linear filter") as refused:
        read(Word(word))
    assert "[[" not in refused.value.help
    assert not refused.value.instead


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
    for name, factor in (("sobel", 8), ("scharr", 32), ("prewitt", 6)):
        across = build(Filter(values=f"{name}_x"), (1, 5, 5)).forward
        along = build(Filter(values=f"{name}_y"), (1, 5, 5)).forward
        assert across(right).unique().tolist() == along(down).unique().tolist() == [factor]
        assert across(down).unique().tolist() == along(right).unique().tolist() == [0]


def test_what_filters_do_to_an_even_map() -> None:
    even = torch.full((1, 1, 4, 4), 3.0)
    after = {
        name: build(Filter(values=name), (1, 4, 4)).forward(even).unique().tolist()
        for name in WORDS
    }
    for name in ("blur", "sharpen", "box", "gaussian"):
        assert after.pop(name) == pytest.approx([3])
    assert all(value == [0] for value in after.values())


# With a smaller deviation, the outer weights of a large filter are rounded to 0.
@given(st.sampled_from(sorted(SIZED)), pairs(1, 9), st.none() | st.floats(0.8, 4), maps(least=9))
def test_filters_of_any_size(name: str, size: tuple[int, int], sigma: float, shape: Shape) -> None:
    op = Filter(values=name, size=size, sigma=sigma if name == "gaussian" else None)
    attempt(op, shape, stricter="a Sobel filter")


def test_what_sums_to_one() -> None:
    for name in ("box", "blur", "gaussian"):
        for size in ((1, 1), (2, 2), (5, 5), (3, 7), (31, 31)):
            (rows,) = Filter(values=name, size=size).bank
            assert sum(map(sum, rows)) == pytest.approx(1, abs=1e-5)


def test_the_length_of_the_gradient() -> None:
    """sqrt(x^2 + y^2), and a gradient where the map is even, though a root is infinitely steep."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 7)
    for name in ("sobel", "prewitt", "scharr"):
        across, down = (
            build(Filter(values=f"{name}_{axis}"), (3, 6, 7)).forward(x) for axis in "xy"
        )
        torch.testing.assert_close(
            build(Filter(values=name), (3, 6, 7)).forward(x), (across**2 + down**2).sqrt()
        )
    even = torch.ones(1, 1, 4, 4, requires_grad=True)
    build(Filter(values="sobel"), (1, 4, 4)).forward(even).sum().backward()
    assert even.grad.eq(0).all()


def test_a_larger_sobel_filter_is_that_of_opencv() -> None:
    (rows,) = Filter(values="sobel_x", size=(5, 5)).bank
    assert rows == (
        (-1, -2, 0, 2, 1),
        (-4, -8, 0, 8, 4),
        (-6, -12, 0, 12, 6),
        (-4, -8, 0, 8, 4),
        (-1, -2, 0, 2, 1),
    )
    (down,) = Filter(values="sobel_y", size=(5, 5)).bank
    assert down == tuple(zip(*rows, strict=True))


def test_lines_in_four_directions() -> None:
    """Each responds most to its own line, and `line` as the strongest of them."""
    lines = {
        "line_horizontal": torch.zeros(5, 5).index_fill(0, torch.tensor(2), 1.0),
        "line_vertical": torch.zeros(5, 5).index_fill(1, torch.tensor(2), 1.0),
        "line_falling": torch.eye(5),
        "line_rising": torch.eye(5).flip(0),
    }
    assert set(lines) == set(TOGETHER["line"])
    for own, image in lines.items():
        middle = {
            name: build(Filter(values=name), (1, 5, 5))
            .forward(image[None, None])[0, 0, 1, 1]
            .item()
            for name in (*lines, "line")
        }
        assert middle.pop("line") == 6
        assert middle.pop(own) == 6
        assert max(middle.values()) <= 0, own


def test_the_size_of_a_gaussian_follows_from_sigma_and_back() -> None:
    assert Filter(values="gaussian").kernel == (3, 3)
    assert Filter(values="gaussian", sigma=1.0).kernel == (7, 7)
    (rows,) = Filter(values="gaussian", size=(1, 3), sigma=1.0).bank
    assert rows[0][1] / rows[0][0] == pytest.approx(1.6487, abs=1e-4)  # exp(1/2)
    (rows,) = Filter(values="gaussian", size=(5, 5)).bank  # OpenCV's sigma for 5 is 1.1
    assert rows[2][2] / rows[2][1] == pytest.approx(1.5117, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message", "help"),
    [
        (
            {"values": "sobel", "size": (4, 4)},
            "odd size of at least 3, not 4x4",
            "`filter sobel 5`",
        ),
        ({"values": "sobel", "size": (1, 1)}, "odd size of at least 3", "`filter sobel 3`"),
        ({"values": "laplacian", "size": (5, 5)}, "`laplacian` is 3x3; only `box`", "take it out"),
        ({"values": EXPECTED, "size": (5, 5)}, "rows of your own have their size", "take it out"),
        ({"values": "box", "sigma": 1.0}, "`sigma` belongs to `gaussian`", "take it out"),
        ({"values": "box", "size": (10**6, 10**6)}, "the largest filter", "pool avg"),
        ({"values": "gaussian", "sigma": 1e300}, "needs more than 63x63", "write the size"),
    ],
)
def test_sizes_that_are_refused(arguments: Any, message: str, help: str) -> None:
    assert help in refuses(Filter(**arguments), (1, 70, 70), match=message, stricter=True)


def test_the_absolute_value_is_a_layer() -> None:
    with pytest.raises(ArgumentError, match="a layer of its own") as refused:
        read(Word("abs"))
    assert "`filter sobel_x, abs`" in refused.value.help


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


def test_several_filters_explained() -> None:
    assert Filter(values="sobel", same=True).explain((3, 6, 6), (3, 6, 6))[2:] == [
        ("sobel_x", "-1 0 1 / -2 0 2 / -1 0 1"),
        ("sobel_y", "-1 -2 -1 / 0 0 0 / 1 2 1"),
        ("each number", "sqrt(x^2 + y^2) of both"),
        ("parameters", "none: the 18 numbers are not trained"),
        ("multiply-adds", "3*6*6 outputs * 2*3*3 = 1,944"),
    ]


def test_what_a_filter_refuses() -> None:
    refuses(Filter(values="blur"), (1, 2, 8), match="spans 3 does not fit into 2")
    refuses(Filter(values="blur"), (16,), match="`filter` needs a map")


# ---- blurpool ------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(operations(BlurPool, size=pairs(1, 5)), maps(st.integers(1, 3)))
def test_any_blurpool(op: BlurPool, shape: Shape) -> None:
    attempt(op, shape, edges=op.mode == "zeros")


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("side", [8, 9])
def test_blurpool_halves_the_size(size: int, side: int) -> None:
    """Rounded up, whatever the filter: a filter of even size has its further row at the end."""
    op = BlurPool(size=(size, size))
    assert op.output((3, side, side)) == (3, (side + 1) // 2, (side + 1) // 2)
    flat = torch.ones(1, 3, side, side)
    assert torch.allclose(build(op, (3, side, side)).forward(flat), torch.tensor(1.0))


def test_blurpool_is_a_blur_with_a_stride() -> None:
    x = torch.randn(2, 3, 9, 8)
    blur = Filter(values="blur", stride=(2, 2), pad=(1, 1), mode="reflect")
    shape = (3, 9, 8)
    assert torch.equal(build(BlurPool(), shape).forward(x), build(blur, shape).forward(x))
    refuses(BlurPool(size=(99, 99)), shape, match="99x99 is more than 63x63", stricter=True)
