"""What is written where nobody looks on, and the numbers in it."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.report.style import Style
from dotcnn.training.display.choose import callback_for
from dotcnn.training.display.live import Live
from dotcnn.training.display.messages import epoch_line, fitting
from dotcnn.training.display.number_format import clock, duration, loss, metric, speed
from dotcnn.training.display.plain import Plain
from dotcnn.training.trainer.combined import Combined

from .events import Clock, a_request, before_training, finished, record, start, step, whole_run


def test_a_line_for_each_epoch_and_none_for_a_step(tmp_path: Path) -> None:
    stream = io.StringIO()
    whole_run(callback_for(stream, color=False), tmp_path)
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 0/3",
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert lines[-4] == "done: 3 epochs in 3:07"
    assert lines[-3] == "best: epoch 2, val loss 0.2000, val top1 95.00 %"
    assert lines[-1].endswith("report.html")
    assert "something to read" in lines
    assert "\x1b" not in stream.getvalue()


def test_the_beginning_says_what_learns_on_what(tmp_path: Path) -> None:
    stream = io.StringIO()
    Plain(stream).started(start(tmp_path, epochs=5, batches=1)._replace(resumed=(3, 128)))
    text = " ".join(stream.getvalue().split())  # where lines end depends on the folder's name
    assert "Small: 1,234 parameters, 1,000 trainable" in text
    assert "cpu (2 cores)" in text
    assert "precision fp32: nothing else is faster" in text
    assert "5 epochs of 1 batch resumed" in text
    assert "epoch 3, image 128" in text


def test_a_run_that_has_ended_says_how_it_goes_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    Plain(stream).started(start(tmp_path, epochs=5, batches=1)._replace(resumed=(6, 0)))
    text = " ".join(stream.getvalue().split())
    assert "resumed after its last epoch: `--set train.epochs=N` trains it for more" in text


def test_reading_is_only_mentioned_where_it_takes_long() -> None:
    stream, now = io.StringIO(), Clock()
    callback = Plain(stream, now=now)
    for done in range(5):
        now.time = done * 0.4
        callback.reading("reading", done, 100)
    assert not stream.getvalue()
    for done in range(5, 100):
        now.time = done * 0.4
        callback.reading("reading", done, 100)
    assert stream.getvalue().splitlines() == [
        "reading: 5 of 100",
        "reading: 43 of 100",
        "reading: 81 of 100",
    ]


def test_what_would_move_a_cursor_is_written_out(tmp_path: Path) -> None:
    """Names come from files that somebody else may have made."""
    stream = io.StringIO()
    callback = Plain(stream)
    callback.started(start(tmp_path / "a\x1b[2J", name="Net\x1b[31m"))
    callback.note("file\x07 name")
    callback.finished(finished(tmp_path / "a\x1b[2J"))
    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()


def test_an_epoch_says_what_there_is_room_for() -> None:
    long = epoch_line(record(7, best=True, waiting=0.3), 120, 200)
    assert long == (
        "epoch   7/120  loss 0.5000   top1 85.00 %   val loss 0.5500   val top1 90.00 %   val top5"
        " 99.00 %   lr 0.05      6,400 images/s    data wait 30 %   2.0 s    best"
    )
    assert epoch_line(record(7, best=True), 120, 90) == (
        "epoch   7/120  loss 0.5000   top1 85.00 %   val loss 0.5500   val top1 90.00 %   best"
    )
    assert epoch_line(record(7, best=True), 120, 79) == (
        "epoch   7/120  loss 0.5000   top1 85.00 %   val loss 0.5500   val top1 90.00 %"
    )
    assert epoch_line(record(7), 120, 5) == "epoch   7/120"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_all_lines_of_a_run_have_the_same_columns(width: int) -> None:
    """Whatever the figures are, and whether an epoch is the best one or not."""
    records = [
        record(1, loss=1234.5, best=True, seconds=3723.0, waiting=0.5),
        record(2, loss=0.02, top1=1.0),
        record(3, waiting=0.01, seconds=42.0),
    ]
    lines = [epoch_line(each, 120, width) for each in records]
    names = ("epoch", "loss", "top1", "val loss", "val top1", "lr", "images/s", "data wait")
    without = epoch_line(record(4, waiting=0.2, validated=False), 120, width, list(records[0].val))
    assert "val" not in without
    assert without.find("data wait") == lines[0].find("data wait")
    for name in names:
        assert len({name in line for line in lines}) == 1, name
    before = epoch_line(before_training(), 120, width, list(records[0].val))
    for name in ("val loss", "val top1", "data wait"):
        assert len({line.find(name) for line in lines}) == 1, name
        if name in before:
            assert before.find(name) == lines[0].find(name)


def test_epoch_0_says_what_was_measured() -> None:
    assert epoch_line(before_training(), 30, 180) == (
        "epoch  0/30  before training              val loss 2.300    val top1 10.00 %   val top5"
        " 50.00 %                                                   0.2 s"
    )


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=9),
    st.integers(1, 80),
)
def test_what_gives_way_is_the_least_important(sizes: list[tuple[int, int]], width: int) -> None:
    """And only where there is no room."""
    fields = [(rank, f"{place}{'x' * size}") for place, (rank, size) in enumerate(sizes)]
    line = fitting(fields, width)
    kept = [int(text[0]) for text in line.split("  ")]
    assert kept == sorted(kept)
    assert len(line) <= width or len(kept) == 1
    ranks = sorted(rank for rank, _ in fields)
    assert sorted(fields[place][0] for place in kept) == ranks[: len(kept)]
    if len("  ".join(text for _, text in fields)) <= width:
        assert len(kept) == len(fields)


@pytest.mark.parametrize(
    ("seconds", "told", "running"),
    [
        (0.04, "0.0 s", "0:00"),
        (9.94, "9.9 s", "0:10"),
        (9.96, "10 s", "0:10"),
        (59.4, "59 s", "0:59"),
        (59.6, "1:00", "1:00"),
        (3599.6, "1:00:00", "1:00:00"),
        (93784, "26:03:04", "26:03:04"),
    ],
)
def test_times(seconds: float, told: str, running: str) -> None:
    assert duration(seconds) == told
    assert clock(seconds) == running


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05123, "0.0512"),
        (0.99996, "1.0000"),
        (2.3026, "2.303"),
        (0.0, "0.0000"),
        (0.00012, "1.2e-04"),
        (12345.0, "1.2e+04"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_losses(value: float, text: str) -> None:
    assert loss(value) == text


def test_other_figures() -> None:
    assert metric("top1", 0.98765) == "98.77 %"
    assert metric("loss", 0.5) == "0.5000"
    assert speed(12345.6) == "12,346 images/s"
    assert speed(3.21) == "3.2 images/s"


def test_several_are_all_told_and_closed(tmp_path: Path) -> None:
    """Also where closing one of them fails."""
    streams = io.StringIO(), io.StringIO()
    callbacks = [Plain(stream, Style(100)) for stream in streams]
    whole_run(Combined(callbacks), tmp_path)
    assert streams[0].getvalue() == streams[1].getvalue() != ""

    closed = []

    class Failing(Plain):
        def close(self) -> None:
            closed.append(self)
            raise OSError("gone")

    both = Combined([Failing(streams[0]), Failing(streams[1])])
    both.step(step(1, 1))
    with pytest.raises(OSError, match="gone"):
        both.close()
    assert len(closed) == 2


class Full(io.StringIO):
    """Takes so many signs, then none."""

    room = 300

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_training_goes_on_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """`cnn train … 2>&1 | head`"""
    stream = Full()
    whole_run(Plain(stream), tmp_path)
    assert 0 < len(stream.getvalue()) <= 300
    whole_run(Live(Full(), color=False), tmp_path)


def test_a_log_that_cannot_be_written_ends_and_the_others_go_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    (tmp_path / "metrics.csv").mkdir()
    callback = callback_for(stream, color=False, request=a_request())
    whole_run(callback, tmp_path)
    said = [line for line in stream.getvalue().splitlines() if "cannot write" in line]
    assert len(said) == 1
    assert "metrics.csv: Is a directory; logging stops here" in said[0]
    assert "epoch 3/3" in stream.getvalue()
    (path,) = (tmp_path / "tensorboard").glob("events*")
    assert path.read_bytes().count(b"images_per_second") == 3
