"""`log tensorboard`: read back with TensorBoard's own reader."""

from __future__ import annotations

import io
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
