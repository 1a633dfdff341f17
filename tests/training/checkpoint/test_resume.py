"""A stopped run is resumed; a run of another spec is refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import numpy
import pytest
from PIL import Image
from safetensors.torch import load_file

from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.checkpoint import writer as keeper
from dotcnn.training.checkpoint.checkpoint import about_weights, read_checkpoint
from dotcnn.training.data.loader import memory_budget
from dotcnn.training.trainer import loop
from dotcnn.training.trainer.callbacks import Step

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

STEPS = 6
"""In an epoch."""

EVERYTHING = {
    "train.deterministic": True,
    "train.ema": 0.9,
    "train.early_stop": "9 metric=top1",
    "train.schedule": "plateau 1",
    "train.clip": 1,
}


def measured(folder: Path) -> list[object]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["epoch"], line["lr"], line["train"], line["val"], line["best"]) for line in lines]


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 3, 3 * STEPS])
def test_stopped_by_ctrl_c(tmp_path: Path, steps: int) -> None:
    """In the middle of an epoch, with its last step, or with the very last one: what comes out is
    what would have, to the last bit."""
    whole = trained(tmp_path / "whole", set=EVERYTHING)
    looker = Looker(stop_after=steps)
    stopped = trained(tmp_path / "run", callback=looker, set=EVERYTHING)
    assert stopped.interrupted
    assert len(looker.steps) == steps
    assert looker.closed
    assert any("cnn train --resume" in note for note in looker.notes)
    assert json.loads((tmp_path / "run" / "record.json").read_text())["state"] == "interrupted"
    looker = Looker()
    result = gone_on(tmp_path / "run", callback=looker)
    assert looker.begun is not None
    assert looker.begun.resumed is not None
    assert len(looker.steps) == 3 * STEPS - steps
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    assert equal(result.module.state_dict(), whole.module.state_dict())
    assert measured(tmp_path / "run") == measured(tmp_path / "whole")
    assert result.metrics == whole.metrics


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = trained(tmp_path / "run")
    weights, lines = last(tmp_path / "run"), measured(tmp_path / "run")
    again = gone_on(tmp_path / "run")
    assert again.metrics == first.metrics
    assert equal(last(tmp_path / "run"), weights)
    assert measured(tmp_path / "run") == lines


def test_a_run_can_be_trained_for_longer(tmp_path: Path) -> None:
    """With a schedule that does not look at the end, that is the run as if it had been so long."""
    constant = {"train.schedule": "constant", "train.deterministic": True}
    trained(tmp_path / "whole", set=constant)
    trained(tmp_path / "run", set={**constant, "train.epochs": 2})
    gone_on(tmp_path / "run", epochs=3)
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["train"]["epochs"]["count"] == 3


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(Looker):
        def step(self, step: object) -> None:
            for _ in range(2):
                time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("dotcnn.training.runtime.interrupts.SAME", 0.001)

    looker = Impatient()
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", callback=looker)
    assert looker.closed


# ---- another spec ------------------------------------------------------------------------------


def refused(folder: Path, spec: str | None = None, **options: object) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        gone_on(folder, spec, **options)
    (found,) = raised.value.diagnostics
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done") / "run"
    trained(folder, set={"train.epochs": 1})
    return folder


def test_another_plan_is_refused_with_the_difference(done: Path) -> None:
    spec = SPEC.replace("batch 256", "batch 256, seed 5, loss focal").replace("adamw", "adam")
    found = refused(done, spec)
    assert found.code == "another-spec"
    assert found.span is not None
    notes = "\n".join(found.notes)
    assert "`seed 0`, now `seed 5`" in notes
    assert "`loss focal" in notes
    assert "now `optimizer adam lr=0.005" in notes
    assert "epochs" not in notes
    assert 'transfer { from "' in found.help


def test_another_network_is_refused_with_the_difference(done: Path) -> None:
    found = refused(done, SPEC.replace("conv 4", "conv 5"))
    assert found.code == "another-spec"
    assert "conv.weight: 4x1x3x3, now 5x1x3x3" in found.notes
    found = refused(done, SPEC.replace("relu", "elu"))
    assert found.code == "another-spec"


def test_changes_that_do_not_matter_are_allowed(done: Path) -> None:
    """Comments, layout, names of files; and how long, or what is shown."""
    spec = "# Mine!\n" + SPEC.replace("flatten", "\n  flatten # to a row\n")
    assert gone_on(done, spec, epochs=1).epochs == 1
    assert gone_on(done, spec + "\n", set={"train.epochs": 1, "train.metrics": "f1"}).epochs == 1


def test_a_missing_checkpoint_is_an_error(tmp_path: Path) -> None:
    trained(tmp_path / "run", set={"train.epochs": 1})
    (tmp_path / "run" / "last.ckpt").write_bytes(b"PK" + bytes(100))
    assert refused(tmp_path / "run").code == "checkpoint"
    (tmp_path / "run" / "record.json").write_text("{}")
    assert refused(tmp_path / "run").code == "no-run"


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    import pickle

    trained(tmp_path / "run", set={"train.epochs": 1})
    victim = tmp_path / "victim"

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(victim),)

    (tmp_path / "run" / "last.ckpt").write_bytes(pickle.dumps(Harm()))
    assert refused(tmp_path / "run").code == "checkpoint"
    assert not victim.exists()


# ---- epochs that are shorter than writing takes ----------------------------------------------

RARELY = 1e-9
"""The share of the time for writing with which only the last epoch is written."""


class Ended(Looker):
    """A run that ends in the middle of the third epoch, by Ctrl-C or by an error."""

    def __init__(self, how: str) -> None:
        super().__init__(stop_after=2 * STEPS + 1 if how == "by a person" else None)

    def step(self, step: Step) -> None:
        super().step(step)
        if len(self.steps) == 2 * STEPS + 1 and self.stop_after is None:
            raise RuntimeError("a mistake")


@pytest.mark.parametrize("how", ["by a person", "by a mistake"])
def test_the_best_weights_are_written_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(keeper, "WRITING", RARELY)
    folder, looker = tmp_path / "run", Ended(how)
    with nullcontext() if how == "by a person" else pytest.raises(SpecError, match="a mistake"):
        trained(folder, callback=looker)
    assert [record.best for record in looker.epochs] == [True, True]
    assert about_weights(folder / "best.safetensors")["epoch"] == "2"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3
    monkeypatch.setattr(keeper, "WRITING", 1)
    trained(tmp_path / "other", callback=Looker(stop_after=2 * STEPS + 1))
    best = [load_file(path / "best.safetensors") for path in (folder, tmp_path / "other")]
    assert equal(*best)
    gone_on(folder)
    trained(tmp_path / "whole")
    assert equal(last(folder), last(tmp_path / "whole"))


def test_weights_that_could_not_be_written_stay_those_of_their_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has gone on learning since, and got worse."""
    disk = Full()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    monkeypatch.setattr(keeper, "WRITING", 1)
    monkeypatch.setattr(loop, "is_best", lambda metric, metrics, best: next(better))

    class Filling(Looker):
        def step(self, step: Step) -> None:
            super().step(step)
            disk.full = STEPS < len(self.steps) <= 2 * STEPS

    better = iter([True, True, False])
    trained(tmp_path / "run", callback=Filling())
    assert about_weights(tmp_path / "run" / "best.safetensors")["epoch"] == "2"
    better = iter([True, True, False])
    trained(tmp_path / "whole")
    best = [load_file(tmp_path / name / "best.safetensors") for name in ("run", "whole")]
    assert equal(*best)


# ---- a full disk -------------------------------------------------------------------------------


class Full:
    """A disk that is full for some time."""

    def __init__(self) -> None:
        self.full = False
        self._fsync = os.fsync

    def fsync(self, handle: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fsync(handle)


def test_a_full_disk_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note is shown, training continues, and the missing lines are written later."""
    monkeypatch.setattr(keeper, "WRITING", 1)
    disk = Full()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    folder = tmp_path / "run"

    class Filling(Looker):
        def step(self, step: object) -> None:
            super().step(step)  # type: ignore[arg-type]
            if len(self.steps) == STEPS + 1:
                before.append((folder / "last.ckpt").read_bytes())
                disk.full = True
            if len(self.steps) == 2 * STEPS + 1:
                assert (folder / "last.ckpt").read_bytes() == before[0]
                assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
                disk.full = False

    before: list[bytes] = []
    looker = Filling()
    result = trained(folder, callback=looker)
    assert any("No space left" in note for note in looker.notes)
    assert result.trouble == ""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2, 3]
    assert read_checkpoint(folder / "last.ckpt")["position"]["epoch"] == 3
    assert result.reason == "done"


def test_a_disk_that_stays_full_is_reported_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "WRITING", 1)
    disk = Full()
    monkeypatch.setattr(os, "fsync", disk.fsync)

    class Filling(Looker):
        def step(self, step: object) -> None:
            super().step(step)  # type: ignore[arg-type]
            disk.full = disk.full or len(self.steps) > STEPS

    looker = Filling()
    result = trained(tmp_path / "run", callback=looker)
    assert "No space left" in result.trouble
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["position"]["epoch"] == 1
    disk.full = False
    gone_on(tmp_path / "run")
    trained(tmp_path / "whole")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


# ---- data that has moved -----------------------------------------------------------------------


def arrays(path: Path, classes: int = 3, images: int = 60) -> Path:
    random = numpy.random.default_rng(0)
    x = random.integers(0, 256, (images, 8, 8), dtype=numpy.uint8)
    numpy.savez(path, x_train=x, y_train=numpy.arange(images) % classes)
    return path


MOVABLE = SPEC.replace("data digits", 'data npz "DATA" val=50%').replace("batch 256", "batch 8")


def test_data_that_has_moved(tmp_path: Path) -> None:
    """It is named with `--data`; how it is divided stays as the spec had it."""
    first = arrays(tmp_path / "first.npz")
    spec = MOVABLE.replace("DATA", str(first))
    trained(tmp_path / "whole", spec)
    assert trained(tmp_path / "run", spec, callback=Looker(stop_after=5)).interrupted
    first.rename(tmp_path / "second.npz")
    assert gone_on(tmp_path / "run", data=tmp_path / "second.npz").reason == "done"
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    again = gone_on(tmp_path / "run", set={"train.epochs": 4})
    assert again.epochs == 4, "the new place is remembered"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"images": 80}, "images for train: 30; now 40"),
        ({"classes": 2}, "classes: 0, 1 and 2; now 0 and 1"),
    ],
)
def test_other_data_is_refused(tmp_path: Path, changes: dict[str, int], expected: str) -> None:
    spec = MOVABLE.replace("DATA", str(arrays(tmp_path / "first.npz")))
    spec = spec.replace("fc classes", "fc 3")
    assert trained(tmp_path / "run", spec, callback=Looker(stop_after=5)).interrupted
    with pytest.raises(SpecError) as raised:
        gone_on(tmp_path / "run", data=arrays(tmp_path / "other.npz", **changes))
    (found,) = raised.value.diagnostics
    assert found.code in ("other-data", "classes"), found
    if found.code == "other-data":
        assert expected in found.notes


def test_another_version_says_so(tmp_path: Path) -> None:
    assert trained(tmp_path / "run", callback=Looker(stop_after=3)).interrupted
    record = tmp_path / "run" / "record.json"
    record.write_text(record.read_text().replace('"torch": "', '"torch": "1.0'))
    looker = Looker()
    gone_on(tmp_path / "run", callback=looker)
    (note,) = [note for note in looker.notes if "was trained with" in note]
    assert note.startswith("this run was trained with torch 1.0")


FILES = """
network Net { input 3x16x16, conv 4 3x3, relu, pool avg global, flatten, fc classes }
train {
  data folder "images" val=20%
  epochs 2
  batch 4
  deterministic
}
augment { crop scale=30%..100%, flip horizontal }
"""


@pytest.mark.slow
def test_other_workers_read_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes read, and after an interruption within an epoch none or one: the parts of the
    images that are cut from the files are the same, and so are the weights."""
    noise = numpy.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "images" / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 255, (40, 60, 3), dtype=numpy.uint8)
        Image.fromarray(pixels).save(path)
    (tmp_path / "net.cnn").write_text(FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory_budget, "computer_budget", lambda: 0)  # nothing stays in memory
    whole = trained(tmp_path / "whole", "net.cnn", set={"train.workers": 2})
    for workers in (0, 1):
        run, looker = tmp_path / f"run{workers}", Looker(stop_after=3)
        trained(run, "net.cnn", set={"train.workers": 2}, callback=looker)
        gone_on(run, set={"train.workers": workers})
        assert equal(last(run), last(whole.folder))
