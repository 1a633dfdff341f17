"""The suite for a GPU (`benchmarks/cuda.py`), run on the CPU with small sizes: the suite works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dotcnn.benchmarks.cuda_suite import wheels
from dotcnn.benchmarks.cuda_suite.check import LIMITS, Setting, checks_of
from dotcnn.benchmarks.cuda_suite.run import made, run_command
from dotcnn.benchmarks.cuda_suite.table import markdown, read
from dotcnn.compiler.ops.base import REGISTRY as OPERATIONS
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from support import ROOT

SCRIPT = ROOT / "benchmarks" / "cuda.py"

# ---- how checks are run --------------------------------------------------------------------------

CHECKS = """
import os, subprocess, sys, time
from dotcnn.benchmarks.cuda_suite.check import Check, Failed, Skipped

def raises(error):
    raise error

def stay(setting):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"],
                             start_new_session=True)
    (setting.folder / "child").write_text(str(child.pid))
    print("this must not get between the lines")
    time.sleep(3600)

def checks(setting):
    yield Check("some", "holds", lambda: {"figure": 1.5, "other": 2})
    yield Check("some", "does not", lambda: raises(Failed("too large", {"figure": 9.0})))
    yield Check("some", "left out", lambda: raises(Skipped("no such word")))
    yield Check("some", "ends the process", lambda: os._exit(3))
    yield Check("some", "breaks the GPU", lambda: raises(RuntimeError("CUDA error: misaligned")))
    yield Check("some", "after it", lambda: {"process": os.getpid()})
    yield Check("stays", "for an hour", lambda: stay(setting))
"""


def _records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[Any]:
    (tmp_path / "fake_checks.py").write_text(CHECKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    limit = options.pop("limit", 600)
    records: list[Any] = []
    setting = Setting("cpu", tmp_path, small=True, **options)
    run_command("fake_checks", setting, limit, records.append, tmp_path / "log")
    return records


def test_a_check_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *records, last = _records(tmp_path, monkeypatch, only="some")
    results = {record["check"]: record for record in records}
    assert {name: record["status"] for name, record in results.items()} == {
        "holds": "ok",
        "does not": "failed",
        "left out": "skipped",
        "ends the process": "crashed",
        "breaks the GPU": "failed",
        "after it": "ok",
    }
    assert results["holds"]["facts"] == {"figure": 1.5, "other": 2}
    assert results["does not"]["facts"] == {"figure": 9.0}
    assert "exit code 3" in results["ends the process"]["message"]
    assert (last["checks"], last["bad"], last["skipped"]) == (6, 3, 1)


@pytest.mark.slow
def test_a_command_is_killed_at_its_limit_with_all_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the machine is: it may not come to the check that stays."""
    records = _records(tmp_path, monkeypatch, only="stays", limit=2.5)
    assert [record["status"] for record in records[:-1]] in (["out of time"], ["skipped"])
    if (tmp_path / "child").exists():
        child = int((tmp_path / "child").read_text())
        for _ in range(1000):
            if not _runs(child):
                break
            time.sleep(0.01)
        assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_results_as_markdown(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"command": "speed", "environment": {"torch": "2.6", "GPU": "A"}},
        {"command": "speed", "table": "t", "check": "x", "status": "ok", "facts": {"ms": 12345.6}},
        {"command": "speed", "table": "t", "check": "y", "status": "failed", "message": "a | b"},
        {"command": "speed", "checks": 2, "bad": 1, "skipped": 0, "seconds": 3.5, "limit": 300},
    ]
    file = tmp_path / "day.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + '\n{"command": "cut o')
    text = markdown(read(file))
    assert "Measured on: torch 2.6, GPU A." in text
    assert "| speed | 2 | 1 | 0 | 3.5 of 300 |" in text
    assert "| x | 12346 |  |" in text
    assert "| y |  | failed; a \\| b |" in text


def test_of_long_tables_the_rest_is_summed_up() -> None:
    rows = [
        {"command": "c", "table": "t", "check": f"row {n}", "status": "ok", "facts": {"ms": n}}
        for n in range(50)
    ]
    rows.append({"command": "c", "table": "t", "check": "wrong", "status": "crashed"})
    text = markdown(rows)
    assert "50 of 51 hold" in text
    assert "| ms | 0 | 24.5 | 49 |" in text
    assert "wrong" in text
    assert "row 7" not in text
    assert "row 7" in markdown(rows, every_row=True)


def test_only_missing_packages_are_taken_from_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch-9.9", "absent_package-1.0"):
        with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name.partition('-')[0]}/__init__.py", "carried = True")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "before")
    wheels.on_path(tmp_path)
    import absent_package  # type: ignore[import-not-found]

    assert absent_package.carried
    assert not (Path(absent_package.__file__).parent.parent / "torch").exists()
    before, site = os.environ["PYTHONPATH"].split(os.pathsep)
    assert before == "before"
    assert (Path(site) / "absent_package").is_dir()


def test_all_commands_fit_into_half_an_hour() -> None:
    assert next(iter(LIMITS)) == "smoke"
    assert sum(LIMITS.values()) <= 25 * 60
    for path in LIMITS:
        assert (ROOT / "benchmarks" / "cuda_suite" / f"{path}.py").is_file()


# ---- the checks ----------------------------------------------------------------------------------


def test_every_directive_and_operation_is_compared(tmp_path: Path) -> None:
    """They come from the registries: a new one is compared as soon as it is there."""
    found = {(check.table, check.name) for check in checks_of("same", Setting("cpu", tmp_path))}
    assert {name for table, name in found if table == "operations"} == set(OPERATIONS) - {"input"}
    compared = {name for table, name in found if table == "augmentation"}
    assert {kind.word for kind in DIRECTIVES["augment"].values()} <= compared


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("same", "augmentation crop"),
        ("same", "operations conv"),
        ("same", "2^31 elements conv"),
        ("same", "train: clip"),
        ("syncs", "augment flip"),
        ("resume", "optimizer sgd"),
        ("oom", "no more memory after step"),
        ("memory", "mobilenet_v2, fp32, momentum, 2"),
    ],
)
def test_a_check_holds_on_the_cpu(command: str, name: str, tmp_path: Path) -> None:
    setting = Setting("cpu", tmp_path, small=True, only=name)
    check = next(checks_of(command, setting))
    record = made(check)
    assert record["status"] == "ok", record


@pytest.mark.slow
@pytest.mark.parametrize("command", LIMITS)
def test_a_whole_command_on_the_cpu(command: str, tmp_path: Path) -> None:
    """As on the day, from a folder where the package is not installed."""
    out = tmp_path / "out.jsonl"
    result = subprocess.run(
        [sys.executable, str(SCRIPT), command, "--device", "cpu", "--small", "--out", str(out),
         "--limit", "1500"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    records = read(out)
    bad = [record for record in records if record.get("status") not in (None, "ok", "skipped")]
    assert bad == []
    assert result.returncode == 0, result.stderr[-2000:]
    assert any("environment" in record for record in records)
    assert any(record.get("status") == "ok" for record in records)
    assert markdown(records).count("###") >= 1
