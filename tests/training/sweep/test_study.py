"""The study of Optuna: what samplers are told, and where it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna")

from dotcnn.compiler.plan.make import sweep_plan
from dotcnn.compiler.plan.sweep_plan import SweepPlan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.request import request
from dotcnn.training.sweep import study_storage
from dotcnn.training.sweep.study import Study
from dotcnn.training.sweep.study_storage import StorageLost, open_database

SPEC = """\
network Small(width=8) { input 1x8x8, conv width 3x3, flatten, fc classes }
train { data digits, epochs 1, optimizer sgd lr=0.1 }
sweep { lr log 1e-3..1
LINES }
"""


def plan(lines: str = "") -> SweepPlan:
    return sweep_plan(request(Source("small.cnn", SPEC.replace("LINES", lines))).network, [])


def opened(folder: Path, lines: str = "") -> Study:
    return Study(folder, "small", plan(lines), [True], 1, first=True)


def test_all_trials_that_a_sampler_learns_from_have_the_constraint(tmp_path: Path) -> None:
    """Also the spec as written, which was not proposed: `gp` refuses to learn otherwise."""
    study = opened(tmp_path)
    assert study.add({"lr": 0.1}, [0.5], {1: 0.5})
    study.complete(study.ask().number, [0.6])
    trials = study.study.get_trials()
    known = [sorted(getattr(each, "constraints", None) or each.user_attrs) for each in trials]
    assert known == [["excess"], ["excess"]]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("", ["NopPruner"]),
        ("prune none", ["NopPruner"]),
        ("prune", ["PercentilePruner"]),
        ("prune hyperband", ["HyperbandPruner"]),
        ("prune successive_halving", ["SuccessiveHalvingPruner"]),
        ("prune patient patience=7", ["PatientPruner"]),
        ("prune percentile keep=25% patience=2", ["PatientPruner", "PercentilePruner"]),
    ],
)
def test_pruners_are_those_of_optuna(line: str, kinds: list[str], tmp_path: Path) -> None:
    pruner = opened(tmp_path, line).study.pruner
    found = [type(pruner).__name__]
    inner = getattr(pruner, "_wrapped_pruner", None)
    if inner is not None:
        found.append(type(inner).__name__)
    assert found == kinds


def _refused(lines: str) -> Diagnostic:
    storage = plan(lines).storage
    assert storage is not None
    with pytest.raises(SpecError) as caught:
        open_database(storage)
    return caught.value.diagnostics[0]


def test_a_database_takes_the_driver_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_storage, "find_spec", lambda name: name == "psycopg2" or None)
    storage = plan('storage "postgres://me@host/sweeps"').storage
    assert storage is not None
    assert study_storage._with_driver(storage) == "postgresql+psycopg2://me@host/sweeps"
    monkeypatch.setattr(study_storage, "find_spec", lambda name: None)
    lacking = _refused('storage "postgresql://me@host/sweeps"')
    assert (lacking.code, lacking.help) == ("missing-package", 'pip install "psycopg[binary]"')
    assert lacking.message == "a study in postgresql needs psycopg, not installed here"


def test_what_is_not_a_database_is_said(tmp_path: Path) -> None:
    assert "not the URL of a database" in _refused('storage "nosuch://host/sweeps"').message
    away = _refused(f'storage "sqlite:///{tmp_path}/away/sweep.db"')
    assert "unable to open database file" in away.message
    assert "Background" not in away.message


def test_a_storage_that_goes_away_is_no_fault_of_the_trial(tmp_path: Path) -> None:
    study = opened(tmp_path, f'storage "sqlite:///{tmp_path}/sweep.db"')
    (tmp_path / "sweep.db").write_bytes(b"no database any more" * 100)
    with pytest.raises(StorageLost, match="cannot be read or written any more"):
        study.ask()
