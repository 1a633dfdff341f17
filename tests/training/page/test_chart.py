"""Lines in a frame."""

from __future__ import annotations

import re
from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from dotcnn.training.page.chart import HEIGHT, WIDTH, Line, chart, round_numbers

VALUES = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


@given(VALUES, VALUES)
def test_round_numbers_surround_what_they_are_for(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = round_numbers(low, high)
    size = max(abs(low), abs(high), 1e-300)
    assert ticks[0] <= low + 1e-6 * size
    assert ticks[-1] >= high - 1e-6 * size
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))


def test_they_are_round() -> None:
    assert round_numbers(0.1, 1.9) == [0, 0.5, 1, 1.5, 2]
    assert round_numbers(0, 100) == [0, 20, 40, 60, 80, 100]
    assert round_numbers(5, 5)[0] < 5 < round_numbers(5, 5)[-1]


@given(st.lists(st.one_of(VALUES, st.just(float("nan"))), min_size=1, max_size=60))
def test_all_points_lie_in_the_frame(values: list[float]) -> None:
    if not any(map(isfinite, values)):
        return
    points = [(place + 1.0, value) for place, value in enumerate(values)]
    drawn = chart("Loss", [Line("training", "one", points)], "{:g}".format, best=1)
    path = re.search(r'class="curve one" d="([^"]*)"', drawn)
    assert path is not None
    pairs = re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path[1])
    assert len(pairs) == sum(map(isfinite, values))
    for x, y in pairs:
        assert -1 <= float(x) <= WIDTH + 1
        assert -1 <= float(y) <= HEIGHT + 1


def test_higher_is_higher_and_later_is_further_right() -> None:
    line = Line("training", "one", [(1, 0.0), (2, 1.0)])
    path = re.search(r'd="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)"', chart("", [line], str))
    assert path is not None
    x1, y1, x2, y2 = map(float, path.groups())
    assert x2 > x1
    assert y2 < y1


def ticks(drawn: str) -> list[float]:
    return [float(tick) for tick in re.findall(r'text-anchor="end">([-\d.]+)<', drawn)]


def heights(drawn: str) -> list[float]:
    path = re.search(r'class="curve one" d="([^"]*)"', drawn)
    assert path is not None
    return [float(y) for _, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path[1])]


def test_a_dead_run_looks_dead() -> None:
    """A loss that wavers by a thousandth is a flat line, on that of guessing."""
    losses = [2.304, 2.303, 2.3025, 2.3031]
    line = Line("validation", "one", list(enumerate(losses, 1)))
    drawn = chart("Loss", [line], "{:.4f}".format, guess=2.3026)
    assert ticks(drawn)[0] == 0
    assert max(heights(drawn)) - min(heights(drawn)) < 1
    guess = re.search(r'class="guess" x1="[^"]*" x2="[^"]*" y1="([\d.]+)"', drawn)
    assert guess is not None
    assert abs(float(guess[1]) - heights(drawn)[-1]) < 1
    closer = chart("Loss", [line], "{:.4f}".format, guess=2.3026, enlarged=True)
    assert max(heights(closer)) - min(heights(closer)) > 50


def test_a_huge_loss_before_training_does_not_flatten_the_others() -> None:
    """Batch norm without statistics may give one; it is drawn at the edge, and told as it is."""
    points = [(0, 812.0), (1, 1.5), (2, 1.0)]
    drawn = chart("Loss", [Line("validation", "one", points)], "{:.1f}".format, guess=2.3)
    assert ticks(drawn)[-1] < 10
    assert 0 <= min(heights(drawn)) < heights(drawn)[1] < heights(drawn)[2]
    assert "before training: validation 812.0" in drawn


def test_labels_of_any_length_have_room() -> None:
    line = Line("training", "one", [(1, 0.5), (1000, 1.0)])
    drawn = chart("Loss", [line], lambda value: f"{value:.12f}")
    for x, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">([^<]*)<', drawn):
        assert float(x) - 7 * len(text) >= 0, text
    (x,) = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">1000<', drawn)
    assert float(x) + 7 * 4 / 2 <= WIDTH


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=9))
def test_the_axis_of_a_share_does_not_go_beyond_100_percent(right: list[int]) -> None:
    values = [count / 10_000 for count in right]
    line = Line("validation", "two", list(enumerate(values, 1)))
    drawn = chart("Top-1 accuracy", [line], "{:.9f}".format, share=True)
    ticks = [float(tick) for tick in re.findall(r'text-anchor="end">([-\d.]+)<', drawn)]
    assert len(ticks) >= 2
    assert 0 <= ticks[0] <= round(min(values), 9)
    assert round(max(values), 9) <= ticks[-1] <= 1
