"""Run folders: a small one that was trained once, and copies of it that differ."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dotcnn

SPEC = """
network Net(width=4) {
  input 1x8x8
  conv width 3x3 stride=2 same, bn, relu
  flatten
  fc classes
}

train {
  data digits
  epochs 2
  batch 512
  optimizer adamw lr=5e-3
}
"""

Made = Callable[..., Path]


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "net"
    dotcnn.train(SPEC, output=folder, device="cpu", quiet=True)
    return folder


@pytest.fixture
def made(one_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes copies of the run under runs/ of the current folder."""
    monkeypatch.chdir(tmp_path)

    def make(
        name: str, *, spec: str = "", plan: Any = None, top1: Any = None, **record: Any
    ) -> Path:
        folder = tmp_path / "runs" / name
        shutil.copytree(one_run, folder)
        data = json.loads((folder / "record.json").read_text())
        data.update(record)
        if top1 is not None:
            data["result"]["val"]["top1"] = data["result"]["best"] = top1
        (folder / "record.json").write_text(json.dumps(data))
        if spec:
            (folder / "spec.cnn").write_text(spec)
        if plan is not None:
            data = json.loads((folder / "plan.json").read_text())
            plan(data)
            (folder / "plan.json").write_text(json.dumps(data))
        return folder

    return make


def with_seed(seed: int) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        plan["train"]["seed"]["value"] = seed

    return change


def with_rate(rate: float) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        plan["train"]["optimizer"]["lr"] = rate

    return change
