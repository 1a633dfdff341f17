"""How far a training is, how long it will take, and its curve in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.training.display.progress import Progress
from dotcnn.training.display.sparkline import BLOCKS, sparkline

from .events import Clock, record, start, step


def test_nothing_is_guessed_before_it_can_be_known(tmp_path: Path) -> None:
    progress = Progress(start(tmp_path), Clock())
    assert (progress.epoch, progress.batch, progress.share) == (1, 0, 0.0)
    assert progress.left() is None
    assert progress.epoch_left() is None


def test_the_first_epoch_tells_how_long_all_will_take(tmp_path: Path) -> None:
    now = Clock()
    progress = Progress(start(tmp_path, epochs=4, batches=10), now)
    for batch in range(1, 6):
        now.time = 2.0 * batch
        progress.stepped(step(1, batch))
    assert progress.epoch_left() == pytest.approx(10)
    assert progress.left() == pytest.approx(10 + 3 * 20)
    assert progress.share == pytest.approx(1 / 8)


def test_later_the_last_epochs_tell_it(tmp_path: Path) -> None:
    """With what evaluation takes; the first ones were slower and are forgotten."""
    now = Clock()
    progress = Progress(start(tmp_path, epochs=20), now)
    for epoch in range(1, 11):
        now.time += 1
        progress.stepped(step(epoch, 10))
        progress.recorded(record(epoch, seconds=100.0 if epoch < 4 else 3.0))
    assert progress.done == 10
    assert progress.epoch == 11
    assert progress.left() == pytest.approx(10 * 3)
    now.time += 99
    progress.recorded(record(20))
    assert progress.left() == 0
    assert progress.share == 1
    assert progress.epoch == 20


def test_a_resumed_run_is_timed_from_where_it_goes_on(tmp_path: Path) -> None:
    now = Clock()
    progress = Progress(start(tmp_path, epochs=10, batches=100), now)
    for batch in range(91, 96):
        now.time += 1
        progress.stepped(step(8, batch))
    assert (progress.done, progress.epoch, progress.batch) == (7, 8, 95)
    assert progress.epoch_left() == pytest.approx(5)
    assert progress.left() == pytest.approx(5 + 2 * 100)


def test_a_step_ends_an_evaluation(tmp_path: Path) -> None:
    progress = Progress(start(tmp_path), Clock())
    progress.evaluating = "val", 1, 2
    progress.stepped(step(1, 2, 0.75))
    assert progress.loss == 0.75
    assert progress.evaluating is None


# ---- sparklines --------------------------------------------------------------------------------


def test_the_highest_and_the_lowest_are_told_apart() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 20) == BLOCKS
    assert sparkline([3, 3, 3], 20) == "▄▄▄"
    assert sparkline([], 20) == ""


def test_what_is_no_number_leaves_a_gap() -> None:
    assert sparkline([0.0, float("nan"), 1.0, float("inf")], 9) == "▁ █ "
    assert sparkline([float("nan")] * 3, 9) == "   "


@given(st.lists(st.floats(-1e300, 1e300), max_size=200), st.integers(1, 60))
def test_a_curve_is_never_wider_than_there_is_room(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set(BLOCKS)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=100), st.integers(1, 40))
def test_a_curve_that_rises_is_drawn_rising(values: list[int], width: int) -> None:
    line = sparkline(sorted(values), width)
    assert list(line) == sorted(line, key=BLOCKS.index)
