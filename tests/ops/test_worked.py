"""The arithmetic of one output element, as people read it. That its numbers are those of torch, the
harness asserts for every operation (`conformance.py`)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.activation import ReLU
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.conv import Conv, Deconv, Separable
from dotcnn.compiler.ops.dropout import Dropout
from dotcnn.compiler.ops.linear import Linear
from dotcnn.compiler.ops.merge import Add, Concat, Mul
from dotcnn.compiler.ops.norm import BatchNorm
from dotcnn.compiler.ops.pool import Average, Max, Stochastic, Tree
from dotcnn.compiler.ops.softmax import Softmax
from dotcnn.compiler.ops.worked import Element, Place, Worked, added, figure
from dotcnn.compiler.shapes import Shape

TEXTBOOK = [
    [81, 2, 209, 44, 71, 58],
    [24, 56, 108, 98, 12, 112],
    [91, 0, 189, 65, 79, 232],
    [12, 0, 0, 5, 1, 71],
    [2, 32, 23, 58, 8, 208],
    [4, 23, 2, 1, 3, 9],
]
FILTER = [[0, 1, 1], [1, 0, 0], [1, 0, 1]]


def work(
    op: Op, at: Any, *shapes: Shape, weight: Any = None, image: Any = None, **how: Any
) -> Worked:
    """Of an image whose channels are the textbook's, each one larger than that before."""

    def read(number: int, channel: int, row: int, column: int) -> float:
        return (image or TEXTBOOK)[row][column] + channel

    return op.work_out(Element(at, op.output(*shapes), shapes, read, weight, **how))


def filter_of_the_textbook(name: str, index: tuple[int, ...]) -> float:
    return 0.5 if name == "bias" else FILTER[index[2]][index[3]]


def test_the_window_of_the_textbook() -> None:
    op = Conv(out=1, kernel=(3, 3), bias=False)
    first = work(op, (0, 0, 0), (1, 6, 6), weight=filter_of_the_textbook)
    assert first.formula == "81*0 + 2*1 + 209*1 + 24*1 + 56*0 + 108*0 + 91*1 + 0*0 + 189*1 = 515"
    assert work(op, (0, 0, 1), (1, 6, 6), weight=filter_of_the_textbook).result == 374
    (window,) = first.groups
    assert (window.columns, window.how, window.terms[5].place) == (3, "sum", Place(0, 0, (1, 2)))


def test_channels_are_summed_one_after_the_other() -> None:
    op = Conv(out=1, kernel=(3, 3), bias=True)
    worked = work(op, (0, 0, 0), (3, 6, 6), weight=filter_of_the_textbook)
    assert worked.formula == "515 + 520 + 525 + 0.5 = 1560.5"
    assert [name for name, _ in worked.lines()] == [
        "channel 0",
        "channel 1",
        "channel 2",
        "sum",
        "with bias",
    ]
    assert worked.bias == 0.5


def test_padding_is_told_apart() -> None:
    op = Conv(out=1, kernel=(3, 3), bias=False, same=True)
    (window,) = work(op, (0, 0, 0), (1, 6, 6), weight=filter_of_the_textbook).groups
    assert [term.place is None for term in window.terms] == [True] * 4 + [False] * 2 + [True] + [
        False
    ] * 2
    assert work(Max(kernel=(2, 2), pad=(1, 1)), (0, 0, 0), (1, 6, 6)).formula == (
        "max(padding, padding, padding, 81) = 81"
    )
    mean = work(Average(kernel=(2, 2), pad=(1, 1), count_pad=False), (0, 0, 1), (1, 6, 6))
    assert mean.formula == "(0 + 0 + 2 + 209)/2 = 105.5"


def test_an_output_that_no_input_reaches() -> None:
    op = Deconv(out=1, kernel=(1, 1), stride=(2, 2), bias=True, output_pad=(1, 1))
    worked = work(op, (0, 1, 1), (1, 6, 6), weight=lambda name, index: 2.0)
    assert (worked.formula, worked.result) == ("0 + 2 = 2", 2)


def test_of_many_terms_some_are_shown() -> None:
    element = Element((1,), (2,), [(4096,)], lambda number, channel, *_: channel, lambda *_: 0.5)
    worked = Linear(out=2).work_out(element)
    assert worked.formula.startswith("0*0.5 + 1*0.5 + 2*0.5 + ")
    assert worked.formula.endswith(f" + … 4,069 more … + 4095*0.5 + 0.5 = {4095 * 4096 // 4 + 0.5}")
    assert len(worked.groups[0].terms) == 4096


def test_copies_name_their_source() -> None:
    worked = work(Concat(), (3, 1, 2), (2, 6, 6), (4, 6, 6))
    assert worked.rule == "a copy of channel 1, row 1, column 2 of input 2"
    assert worked.result == 109


def test_both_paths_of_a_sum() -> None:
    assert work(Add(), (0, 0, 0), (1, 6, 6), (1, 6, 6)).formula == "81 + 81 = 162"


def test_what_is_drawn_in_training_is_seen_by_the_result() -> None:
    op = Dropout(p=0.75)
    kept = work(op, (0, 0, 0), (1, 6, 6), training=True, actual=324.0)
    assert kept.formula == "81/(1 - 0.75) = 324"
    dropped = work(op, (0, 0, 0), (1, 6, 6), training=True, actual=0.0)
    assert dropped.formula == "81*0 = 0"
    assert "probability 0.75" in dropped.note
    assert work(op, (0, 0, 0), (1, 6, 6)).result == 81
    drawn = work(Stochastic(kernel=(2, 2)), (0, 0, 0), (1, 6, 6), training=True, actual=24.0)
    assert drawn.result == 24
    assert "0.1472" in drawn.note  # 24 of 163


def test_a_batch_is_normalized_by_itself_in_training_by_averages_in_evaluation() -> None:
    weights = {"weight": 2.0, "bias": -1.0, "running_mean": 80.0, "running_var": 0.25}

    def weight(name: str, index: tuple[int, ...]) -> float:
        return weights[name]

    shape = (1, 1, 1)
    other = [lambda *place: 91.0]
    trained = work(BatchNorm(), (0, 0, 0), shape, weight=weight, training=True, others=other)
    assert trained.lines()[:2] == [
        ("mean", "(81 + 91)/2 = 86"),
        ("variance", "((81 - 86)^2 + (91 - 86)^2)/2 = 25"),
    ]
    assert trained.result == pytest.approx(-3, abs=1e-5)
    evaluated = work(BatchNorm(), (0, 0, 0), shape, weight=weight)
    assert evaluated.formula == "(81 - 80)/sqrt(0.25 + 1e-05)*2 - 1 = 3"


def test_large_numbers_do_not_overflow() -> None:
    def read(number: int, channel: int, row: int, column: int) -> float:
        return 1000.0 + channel

    shares = [Softmax().work_out(Element((n,), (2,), [(2,)], read, lambda *_: 0.0)) for n in (0, 1)]
    assert sum(each.result for each in shares) == pytest.approx(1)
    assert shares[1].formula == "exp(1001 - 1001)/1.368 = 0.7311"


@pytest.mark.parametrize("at", [(0, 4, 0), (1, 0, 0), (-1, 0, 0), (0, 0), (3,)])
def test_a_position_outside_is_refused(at: Any) -> None:
    with pytest.raises(IndexError, match="is not a position of a 1x4x4 output"):
        work(Conv(out=1, kernel=(3, 3)), at, (1, 6, 6), weight=filter_of_the_textbook)


def test_for_json() -> None:
    op = Conv(out=1, kernel=(3, 3), bias=True, same=True)
    data = work(op, (0, 0, 0), (2, 6, 6), weight=filter_of_the_textbook).data()
    assert json.loads(json.dumps(data)) == data
    assert data["groups"][1]["terms"][4] == {  # type: ignore[index]
        "value": 82,
        "factor": 0,
        "product": 0,
        "place": [0, 1, 0, 0],
    }


def test_what_json_lacks() -> None:
    data = work(Max(kernel=(2, 2), pad=(1, 1)), (0, 0, 0), (1, 6, 6)).data()
    assert [term["value"] for term in data["groups"][0]["terms"]] == [None] * 3 + [81]  # type: ignore[index]
    image = [[math.nan] * 6] * 6
    data = work(Max(kernel=(2, 2)), (0, 0, 0), (1, 6, 6), image=image).data()
    assert data["result"] is None
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=list(REGISTRY))
def test_every_operation_works_out_its_own(kind: type[Op]) -> None:
    assert kind.work_out is not Op.work_out


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (515.0, "515"),
        (-0.0, "0"),
        (1 / 3, "0.3333"),
        (-1234.5678, "-1235"),
        (1560.5, "1560.5"),
        (0.1 + 0.2, "0.3"),
        (0.00012345, "0.0001234"),
        (1.5e-7, "1.5e-7"),
        (123456789.5, "123456789.5"),
        (1e12, "1e12"),
        (0.99999999, "1"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_figures(number: float, shown: str) -> None:
    assert figure(number) == shown


def test_signs() -> None:
    assert added([1.5, -2.0, 0.0]) == "1.5 - 2 + 0"


# ---- how it reads --------------------------------------------------------------------------------


def test_a_function_shows_its_input_as_it_is() -> None:
    """Not `input -3 = 0`."""
    worked = work(ReLU(), (0, 0, 0), (1, 1, 1), image=[[-3]])
    assert worked.lines() == [("input", "-3"), ("relu", "max(0, -3) = 0")]


def test_factors_below_zero_stand_in_brackets() -> None:
    worked = work(Mul(), (0, 0, 0), (1, 1, 1), (1, 1, 1), image=[[-3]])
    assert worked.formula == "(-3)*(-3) = 9"


def test_a_separable_convolution_of_one_channel_shows_its_factor() -> None:
    op = Separable(out=1, kernel=(2, 1), bias=True)

    def weight(name: str, index: tuple[int, ...]) -> float:
        return {"depthwise.weight": 1.0, "pointwise.weight": -2.0, "pointwise.bias": 0.5}[name]

    worked = work(op, (0, 0, 0), (1, 2, 1), weight=weight, image=[[3], [4]])
    assert worked.formula == "7*(-2) + 0.5 = -13.5"


def test_of_many_terms_the_last_keeps_its_sign() -> None:
    worked = work(Average(kernel=(6, 6)), (0, 0, 0), (1, 6, 6), image=[[-1] * 6] * 6)
    assert worked.formula.endswith(" - 1 + … 9 more … - 1)/36 = -1")


def test_every_term_is_shown_if_so_many_are_asked_for() -> None:
    worked = work(Average(kernel=(6, 6)), (0, 0, 0), (1, 6, 6))
    ((_, line),) = worked.lines(most=36)
    assert "…" not in line


def test_exponents_need_no_brackets_of_their_own() -> None:
    def read(number: int, channel: int, row: int, column: int) -> float:
        return -1000.0 - channel

    worked = Softmax().work_out(Element((0,), (2,), [(2,)], read, lambda *_: 0.0))
    assert worked.lines()[0] == (
        "sum of exp",
        "exp(-1000 - (-1000)) + exp(-1001 - (-1000)) = 1.368",
    )


def test_what_a_mean_leaves_out_is_said() -> None:
    op = Average(kernel=(3, 3), stride=(2, 2), ceil=True)
    corner = work(op, (0, 2, 2), (1, 6, 6))
    assert corner.lines()[-1] == ("", "the mean is of 4, not 9: outside the map nothing counts")
    assert work(op, (0, 0, 0), (1, 6, 6)).note == ""


def test_a_zero_does_not_tell_whether_it_was_dropped() -> None:
    worked = work(Dropout(), (0, 0, 0), (1, 1, 1), image=[[0]], training=True, actual=0.0)
    assert worked.lines()[1] == ("kept or dropped", "0")
    assert "either way" in worked.note


def test_nothing_is_drawn_with_probability_zero() -> None:
    op = Stochastic(kernel=(2, 2))
    worked = work(op, (0, 0, 0), (1, 2, 2), image=[[-1, 0], [-2, 0]], training=True, actual=0.0)
    assert worked.note == "no x is above 0"


def test_a_deep_tree_does_not_print_hundreds_of_lines() -> None:
    op = Tree(kernel=(1, 1), levels=8)
    worked = work(op, (0, 0, 0), (1, 1, 1), weight=lambda *_: 0.5, image=[[1]])
    lines = worked.lines()
    assert len(worked.steps) == 510
    assert len(lines) <= 40
    assert lines[-1][0] == "mixed by g254"


def test_weights_that_are_nan_are_none_in_json() -> None:
    op = Conv(out=1, kernel=(2, 2), bias=True)
    worked = work(op, (0, 0, 0), (1, 2, 2), weight=lambda *_: math.nan)
    json.dumps(worked.data(), allow_nan=False)


def test_other_images_are_not_padding() -> None:
    others = [lambda *place: math.inf]
    worked = work(
        BatchNorm(), (0, 0, 0), (1, 1, 1), weight=lambda *_: 1.0, training=True, others=others
    )
    assert worked.lines()[0] == ("mean", "(81 + inf)/2 = inf")
