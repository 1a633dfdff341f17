"""A run that goes on with another rate, schedule, batch or augmentation says so and records it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dotcnn.training.checkpoint.run_files import read_plan

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")


def record_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "record.json").read_text()))


def rates(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["lr"] for line in lines]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs at a constant rate."""
    folder = tmp_path_factory.mktemp("two") / "run"
    trained(folder, set={"train.epochs": 2, "train.schedule": "constant"})
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(run, tmp_path / "run"))


def notes(looker: Looker) -> list[str]:
    return [note for note in looker.notes if "it was" in note or "next step" in note]


def test_another_rate(copy: Path) -> None:
    before = record_of(copy)
    looker = Looker()
    changes = {"train.epochs": 4, "train.optimizer.lr": 1e-3}
    gone_on(copy, callback=looker, set=changes)
    assert notes(looker) == [
        "training ends after 4 epochs; it was to end after 2",
        "the learning rate is 0.001 from epoch 3 on; it was 0.005",
        "the next step is made at a learning rate of 0.001; the last one was at 0.005",
    ]
    assert rates(copy) == [0.005, 0.005, 0.005, 0.001, 0.001]
    record = record_of(copy)
    (entry,) = record["resumptions"]
    assert entry["epoch"] == 3
    assert {"name": "train.optimizer.lr", "before": "0.005", "now": "0.001"} in entry["changes"]
    assert entry["said"] == notes(looker)
    assert entry["torch"]
    assert record["started"] == before["started"]
    assert read_plan(copy).train.optimizer.arguments["lr"] == 1e-3
    again = Looker()
    gone_on(copy, callback=again, epochs=5)
    assert notes(again) == ["training ends after 5 epochs; it was to end after 4"]
    assert rates(copy)[-1] == 0.001
    assert [each["epoch"] for each in record_of(copy)["resumptions"]] == [3, 5]


def test_the_spec_in_the_folder_follows(copy: Path) -> None:
    spec = SPEC.replace("epochs 3", "epochs 3, schedule constant").replace("5e-3", "2e-3")
    gone_on(copy, spec)
    assert "lr=2e-3" in (copy / "spec.cnn").read_text()
    looker = Looker()
    gone_on(copy, callback=looker, epochs=4)
    assert rates(copy)[-2:] == [0.002, 0.002]


def test_another_batch_keeps_the_place_in_the_schedule(tmp_path: Path) -> None:
    """Which goes by epochs, however many steps they have."""
    folder, looker = tmp_path / "run", Looker(stop_after=9)
    trained(folder, callback=looker, set={"train.schedule": "linear"})
    again = Looker()
    gone_on(folder, callback=again, set={"train.batch": 128})
    assert notes(again)[0] == "the batch size is 128 from epoch 2, image 768, on; it was 256"
    assert [step.batch for step in again.steps][:6] == [7, 8, 9, 10, 11, 12]
    whole = trained(tmp_path / "whole", set={"train.schedule": "linear", "train.batch": 128})
    assert whole.epochs == 3
    # 6 of 12 steps of the second epoch are left, as in a run that had such batches all along.
    expected = [step.lr for step in steps_of(tmp_path / "other")[18:]]
    assert [step.lr for step in again.steps] == pytest.approx(expected)


def steps_of(folder: Path) -> list[Any]:
    looker = Looker()
    trained(folder, callback=looker, set={"train.schedule": "linear", "train.batch": 128})
    return looker.steps


def test_what_was_not_asked_for_stays_as_it_was_decided(copy: Path) -> None:
    """The same command again changes nothing, although epochs were added in between."""
    gone_on(copy, epochs=3)
    looker = Looker()
    gone_on(copy, SPEC.replace("epochs 3", "epochs 4, schedule constant"), callback=looker)
    assert notes(looker) == ["training ends after 4 epochs; it was to end after 3"]


def test_without_changes_nothing_is_said(tmp_path: Path) -> None:
    trained(tmp_path / "run", callback=Looker(stop_after=7))
    looker = Looker()
    gone_on(tmp_path / "run", callback=looker)
    assert notes(looker) == []
    (entry,) = record_of(tmp_path / "run")["resumptions"]
    assert entry["changes"] == []
    assert (entry["epoch"], entry["position"]) == (2, 256)
    trained(tmp_path / "whole")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


def test_the_report_shows_where(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dotcnn.training.page.curves import resumptions

    gone_on(copy, set={"train.epochs": 4, "train.optimizer.lr": 1e-3})
    (entry,) = resumptions(record_of(copy))
    assert entry.place == 2
    assert "the learning rate is 0.001 from epoch 3 on; it was 0.005" in entry.text


def test_a_setting_that_is_given_again_is_kept_once(copy: Path) -> None:
    """So that a run that goes on a hundred times has no list of a hundred settings."""
    for epochs in (3, 4, 5):
        gone_on(copy, set={"train.optimizer.lr": epochs * 1e-3, "train.epochs": epochs})
    assert record_of(copy)["made_with"]["set"] == [
        "train.schedule=constant",
        "train.optimizer.lr=0.005",
        "train.epochs=5",
    ]
