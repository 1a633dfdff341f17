"""What only a GPU can show: the checks of `benchmarks/cuda.py`, each as a test.

    pytest tests/cuda -m "slow or not slow"

They are skipped where there is no GPU; that the checks themselves work is tested on the CPU, in
tests/test_cuda_suite.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("there is no CUDA GPU on this machine", allow_module_level=True)

from dotcnn.benchmarks.cuda_suite.check import Setting, Skipped, checks_of

COMMANDS = ("smoke", "same", "syncs", "oom", "resume", "processes", "memory")
"""`speed` and `records` measure, and are no tests."""


def _names() -> list[tuple[str, int, str]]:
    setting = Setting("cuda:0", Path())
    return [
        (command, number, f"{command}: {check.table}: {check.name}")
        for command in COMMANDS
        for number, check in enumerate(checks_of(command, setting))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: some checks use what others have trained."""
    return tmp_path_factory.mktemp("cuda")


@pytest.mark.parametrize(
    ("command", "number"),
    [pytest.param(command, number, id=name) for command, number, name in _names()],
)
def test_on_a_gpu(command: str, number: int, folder: Path) -> None:
    check = list(checks_of(command, Setting("cuda:0", folder)))[number]
    try:
        check.run()
    except Skipped as reason:
        pytest.skip(str(reason))
