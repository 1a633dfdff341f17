"""Processes of distributed training: their numbers, their GPUs, and how `--devices` ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.runtime import distributed
from dotcnn.training.runtime.broken_connection import broken_connection
from dotcnn.training.runtime.distributed import local_gpu
from dotcnn.training.runtime.launch_environment import Place, place_of

TORCHRUN = {
    "RANK": "9",
    "WORLD_SIZE": "16",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "node-1",
    "MASTER_PORT": "29500",
}


def test_the_processes_of_this_machine_are_not_those_of_all() -> None:
    assert place_of({**TORCHRUN, "LOCAL_WORLD_SIZE": "8"}) == Place(9, 16, 1, 8)
    assert place_of(TORCHRUN) == Place(9, 16, 1, None)
    assert place_of({"RANK": "9"}) is None


def test_a_launcher_that_sets_some_variables_only() -> None:
    """Each process would train alone, in a run folder of its own."""
    slurm = {name: TORCHRUN[name] for name in ("RANK", "WORLD_SIZE")}
    with pytest.raises(SpecError) as raised:
        place_of(slurm)
    (found,) = raised.value.diagnostics
    assert found.message.endswith("but not LOCAL_RANK and MASTER_ADDR and MASTER_PORT")
    assert place_of({**slurm, "WORLD_SIZE": "1"}) is None
    address = {name: TORCHRUN[name] for name in ("MASTER_ADDR", "MASTER_PORT")}
    assert place_of({**slurm, **address, "SLURM_LOCALID": "1"}) == Place(9, 16, 1, None)


@pytest.mark.parametrize(
    ("cards", "local_rank", "index"),
    [
        (8, 3, 3),  # torchrun: each process sees all
        (1, 3, 0),  # SLURM: each sees its own
        (1, 0, 0),
    ],
)
def test_the_gpu_of_a_process(
    monkeypatch: pytest.MonkeyPatch, cards: int, local_rank: int, index: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert local_gpu(Place(3, 8, local_rank, 8)) == torch.device("cuda", index)


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SpecError) as raised:
        local_gpu(Place(3, 4, 3, 4))
    assert raised.value.diagnostics[0].message == "there is no `cuda:3`"


def test_two_processes_with_one_gpu() -> None:
    """What NCCL says at the first communication."""
    text = "NCCL error in: …\nLast error:\nDuplicate GPU detected : rank 0 and rank 1 both on CUDA"
    found = broken_connection(torch.distributed.DistBackendError(text))
    assert found is not None
    assert found.message == "two processes were given the same GPU"
    assert broken_connection(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


# ---- how they end ----------------------------------------------------------------------------


def child(code: str) -> subprocess.Popen[bytes]:
    text = f"import os, signal, time\n{code}"
    return subprocess.Popen([sys.executable, "-S", "-E", "-c", text], start_new_session=True)


def ended(*codes: str, signals: list[float] | None = None) -> int:
    """The exit code for processes that run these lines."""
    processes = [child(code) for code in codes]
    try:
        return distributed._wait_for(processes, signals or [])
    finally:
        for process in processes:
            process.kill()
            process.wait()


WAITS = "time.sleep(600)"


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "GRACE", 0.0)


@pytest.mark.usefixtures("no_grace")
def test_one_that_was_interrupted_has_not_failed(tmp_path: Path) -> None:
    """The first process still writes the checkpoint when the other has ended."""
    saved = tmp_path / "last.ckpt"
    writes = f"time.sleep(0.4); open({str(saved)!r}, 'w').close(); os._exit(130)"
    assert ended(writes, "os._exit(130)") == 130
    assert saved.exists()


@pytest.mark.usefixtures("no_grace")
def test_a_failure_after_a_signal_does_not_end_the_one_that_writes(tmp_path: Path) -> None:
    saved = tmp_path / "last.ckpt"
    writes = f"time.sleep(0.4); open({str(saved)!r}, 'w').close(); os._exit(130)"
    assert ended(writes, "os._exit(3)", signals=[0.0]) == 3
    assert saved.exists()


@pytest.mark.usefixtures("no_grace")
def test_a_failure_ends_all() -> None:
    assert ended(WAITS, "os._exit(3)") == 3
    assert ended("os.kill(os.getpid(), signal.SIGKILL)", WAITS) == 1


@pytest.mark.usefixtures("no_grace")
def test_a_second_signal_ends_all() -> None:
    assert ended(WAITS, "os._exit(130)", signals=[0.0, 0.0]) == 130


def test_a_signal_before_there_is_anything_to_save() -> None:
    assert ended("os.kill(os.getpid(), signal.SIGTERM)", signals=[0.0]) == 130
    assert ended("pass", "pass") == 0


def test_signals_are_passed_on() -> None:
    handles = "signal.signal(signal.SIGTERM, lambda *_: os._exit(130)); print(flush=True)"
    text = f"import os, signal, time\n{handles}\n{WAITS}"
    command = [sys.executable, "-S", "-E", "-c", text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout, distributed._passing_signals_on([process]) as signals:
        process.stdout.readline()
        threading.Timer(0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert distributed._wait_for([process], signals) == 130
        assert len(signals) == 1
