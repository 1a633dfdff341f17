"""The learning-rate range test: `cnn train --find-lr`, `cnn find-lr`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import dotcnn
import dotcnn.training.find_lr.find_rate as finding
from commands import run
from dotcnn.compiler.plan.strategy import Stage, Strategy
from dotcnn.training.checkpoint.run_files import read_plan, read_record
from dotcnn.training.find_lr.found_rate import FIND_LR, FoundRate, rate_of_run
from dotcnn.training.find_lr.range_test import as_in_most_epochs
from dotcnn.training.find_lr.suggest import Suggestion, smoothed, suggest
from dotcnn.training.transfer.freezing import Freezing

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")
SET = {"train.epochs": 2, "train.deterministic": "on"}


def _found(folder: Path) -> FoundRate:
    found = rate_of_run(folder)
    assert found is not None
    return found


def test_run_equals_one_with_the_rate_written(tmp_path: Path) -> None:
    looker = Looker()
    trained(tmp_path / "found", set=SET, find_lr=True, callback=looker)
    found = _found(tmp_path / "found")
    assert found.found
    assert 5e-4 < found.lr < 0.5
    written = SPEC.replace("lr=5e-3", f"lr={found.lr:g}")
    assert written != SPEC
    trained(tmp_path / "written", written, set=SET)
    assert equal(last(tmp_path / "found"), last(tmp_path / "written"))
    plans = [read_plan(tmp_path / name) for name in ("found", "written")]
    assert plans[0] == plans[1]
    record = read_record(tmp_path / "found")
    assert record["find_lr"]["lr"] == found.lr
    assert record["find_lr"]["before"] == 5e-3
    assert f"train.optimizer.lr={found.lr:g}" in record["made_with"]["set"]
    assert looker.begun is not None
    assert looker.begun.choices[0] == found.line
    assert any("1e-3" in note for note in looker.notes)


@pytest.mark.slow
def test_resumed_run_keeps_its_rate(tmp_path: Path) -> None:
    trained(tmp_path / "run", set={**SET, "train.epochs": 1}, find_lr=True)
    found = _found(tmp_path / "run")
    again = Looker()
    gone_on(tmp_path / "run", SPEC, set=SET, find_lr=True, callback=again)
    assert again.begun is not None
    assert again.begun.plan.train.optimizer.arguments["lr"] == found.lr
    assert again.begun.choices[0] == found.line
    assert read_record(tmp_path / "run")["find_lr"]["lr"] == found.lr
    gone_on(tmp_path / "run", set={"train.epochs": 3})
    assert read_record(tmp_path / "run")["find_lr"]["lr"] == found.lr


@pytest.mark.slow
def test_ensemble_takes_one_rate(tmp_path: Path) -> None:
    trained(tmp_path / "run", set={**SET, "train.epochs": 1, "train.ensemble": 2}, find_lr=True)
    found = _found(tmp_path / "run")
    for folder in (tmp_path / "run", tmp_path / "run" / "1", tmp_path / "run" / "2"):
        assert read_record(folder)["find_lr"] == found.summary()
        assert f"train.optimizer.lr={found.lr:g}" in read_record(folder)["made_with"]["set"]


def test_interrupted_test_leaves_nothing(tmp_path: Path) -> None:
    class Impatient(Looker):
        def reading(self, what: str, done: int, total: int | None) -> None:
            if "range test" in what:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", find_lr=True, callback=Impatient())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_accumulated_batches_and_parts_of_epochs() -> None:
    found = dotcnn.find_lr(SPEC, set={"train.accumulate": 4, "train.epochs": 0.5}, device="cpu")
    assert found.found
    assert len(found.losses) == len(found.rates) > 40
    assert found.losses[0] == pytest.approx(2.5, abs=0.5)


def test_command(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC, encoding="utf-8")
    table = run(capfd, "find-lr", spec, "--format", "csv", "-o", tmp_path / "curve.svg")
    assert table.code == 0
    head, *rows = table.out.splitlines()
    assert head == "lr,loss,smoothed"
    assert 40 < len(rows) <= 100
    assert "learning rate" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["curve.svg", "net.cnn"]
    assert run(capfd, "find-lr", spec, "-o", "curve.txt").code == 2


@pytest.mark.slow
def test_command_for_people_and_programs(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC, encoding="utf-8")
    data = json.loads(run(capfd, "find-lr", spec, "--format", "json").out)
    assert data["found"] is True
    assert len(data["rates"]) == len(data["losses"])
    text = run(capfd, "find-lr", spec).out
    assert f"learning rate {data['lr']:g}, not 0.005" in text


def test_damaged_file_is_no_range_test(tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"lr": "x"}', "[" * 100):
        (tmp_path / FIND_LR).write_text(text, encoding="utf-8")
        assert rate_of_run(tmp_path) is None


@pytest.mark.parametrize(("epochs", "frozen"), [(3, 7), (6, 7), (7, 8), (40, 9)])
def test_freezes_what_is_frozen_in_most_epochs(epochs: int, frozen: int) -> None:
    starts = ((1, 7), (4, 8), (8, 9))
    stages = tuple(Stage(epoch, frozenset({index})) for epoch, index in starts)
    network: Any = None
    pinned = as_in_most_epochs(Freezing(Strategy(network, stages, {}, (), 0.0)), epochs)
    assert {pinned.strategy.stage(epoch).frozen for epoch in (1, 5, 99)} == {frozenset({frozen})}


# ---- what a curve suggests -------------------------------------------------------------------

RATES = [10 ** (-7 + 7 * n / 99) for n in range(100)]


def _curve(start: float, low: float, knee: float, explodes: float) -> list[float]:
    """A loss that falls around a rate, and explodes at another."""

    def loss(rate: float) -> float:
        fallen = 1 / (1 + (knee / rate) ** 2)
        return start + (low - start) * fallen + (rate / explodes) ** 4

    return [loss(rate) for rate in RATES]


def test_suggests_a_rate_after_the_fall_and_before_the_explosion() -> None:
    losses = _curve(2.3, 0.5, knee=1e-3, explodes=0.3)
    suggestion = suggest(RATES, losses, smoothed(losses))
    assert suggestion.lr is not None
    assert 1e-3 < suggestion.lr < 0.1


@pytest.mark.parametrize(
    ("losses", "why"),
    [
        ([], "explodes at once"),
        ([2.3, 9.0, 80.0], "explodes after 3 steps"),
        ([2.3] * 100, "does not fall"),
        ([2.3 + 0.2 * math.sin(37 * n) for n in range(100)], "does not fall"),
        ([2.3 + rate for rate in RATES], "does not fall"),
    ],
)
def test_suggests_nothing(losses: list[float], why: str) -> None:
    suggestion = suggest(RATES[: len(losses)], losses, smoothed(losses))
    assert suggestion.lr is None
    assert why in suggestion.reason


def test_keeps_the_rate_of_the_spec_where_nothing_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = Looker()
    nothing = Suggestion(None, "the loss explodes at once")
    monkeypatch.setattr(finding, "suggest", lambda *curve: nothing)
    monkeypatch.setattr(finding, "STEPS", 3)
    trained(tmp_path / "run", set={"train.epochs": 1}, find_lr=True, callback=looker)
    found = _found(tmp_path / "run")
    assert not found.found
    assert found.lr == 5e-3
    assert looker.begun is not None
    assert looker.begun.choices[0].startswith("learning rate 0.005, as in the spec: the loss")
    assert read_record(tmp_path / "run")["made_with"]["set"] == ["train.epochs=1"]
