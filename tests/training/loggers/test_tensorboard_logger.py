"""`log tensorboard`: read back with TensorBoard's own reader."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.display.choose import callback_for
from dotcnn.training.loggers.tensorboard_logger import TensorBoardLogger

from ..display.events import a_request, before_training, record, start


def test_the_file_says_what_happened(tmp_path: Path) -> None:
    log = TensorBoardLogger()
    log.started(start(tmp_path))
    log.before_training(before_training())
    log.epoch(record(1, 0.25, 0.875))
    log.epoch(record(2, 0.125, 0.9375))
    found = scalars(tmp_path)
    assert found["loss/train"] == [(1, 0.25), (2, 0.125)]
    assert found["top1/val"] == [(0, pytest.approx(0.1)), (1, 0.875), (2, 0.9375)]
    assert found["lr"] == [(1, pytest.approx(0.05)), (2, pytest.approx(0.05))]


def test_a_resumed_run_replaces_the_epochs_that_it_repeats(tmp_path: Path) -> None:
    """The other process wrote epochs that were lost with it."""
    for pid, epochs, loss, resumed in ((1, (1, 2, 3), 9.0, None), (2, (3, 4), 5.0, (3, 0))):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.getpid", lambda pid=pid: pid)
            log = TensorBoardLogger()
            log.started(start(tmp_path)._replace(resumed=resumed))
            for epoch in epochs:
                log.epoch(record(epoch, loss))
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    assert scalars(tmp_path)["loss/train"] == [(1, 9.0), (2, 9.0), (3, 5.0), (4, 5.0)]


@pytest.mark.parametrize(("pids", "seconds"), [((7, 7), (50, 50)), ((99, 100), (50, 50)),
                                                ((7, 8), (50, 20))])  # fmt: skip
def test_a_run_that_goes_on_within_the_second(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pids: tuple[int, int],
    seconds: tuple[int, int],
) -> None:
    """TensorBoard reads files in the order of their names: that of the second process, or of its
    tenth run, would come before the first; and so it would where its clock is behind."""
    monkeypatch.setattr("dotcnn.training.loggers.tensorboard_logger._NUMBERS", itertools.count(9))
    for pid, second, epochs, resumed in zip(pids, seconds, ((1, 2), (2, 3)), (None, (2, 0)),
                                            strict=True):  # fmt: skip
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        monkeypatch.setattr("time.time", lambda second=second: 1_700_000_000.0 + second)
        log = TensorBoardLogger()
        log.started(start(tmp_path)._replace(resumed=resumed))
        for epoch in epochs:
            log.epoch(record(epoch, float(pid)))
    first, last = map(float, pids)
    assert scalars(tmp_path)["loss/train"] == [(1, first), (2, last), (3, last)]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """As TensorBoard shows them."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_without_tensorboard_training_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotcnn.training.loggers.logger.find_spec", lambda name: None)
    with pytest.raises(SpecError) as raised:
        callback_for(io.StringIO(), color=False, request=a_request())
    (found,) = raised.value.diagnostics
    assert found.help == 'pip install "dotcnn[tensorboard]"'
    assert found.span is not None
    assert found.span.text == "csv tensorboard"
