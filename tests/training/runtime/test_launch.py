"""Processes of distributed training: their numbers, their GPUs, and how `--devices` ends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.runtime import distributed, meeting, process_group
from dotcnn.training.runtime.broken_connection import broken_connection
from dotcnn.training.runtime.distributed import free_port, local_gpu
from dotcnn.training.runtime.heartbeats import Heartbeats
from dotcnn.training.runtime.launch_environment import Place, place_of, rank_of
from dotcnn.training.runtime.process_group import Processes
from dotcnn.training.runtime.slurm import host_names


def place(rank: int, world: int, local_rank: int, local_world: int | None) -> Place:
    return Place(rank, world, local_rank, local_world, "node-1", 29500)


TORCHRUN = {
    "RANK": "9",
    "WORLD_SIZE": "16",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "node-1",
    "MASTER_PORT": "29500",
}


def test_the_processes_of_this_machine_are_not_those_of_all() -> None:
    assert place_of({**TORCHRUN, "LOCAL_WORLD_SIZE": "8"}) == place(9, 16, 1, 8)
    assert place_of(TORCHRUN) == place(9, 16, 1, None)
    assert place_of({"RANK": "9"}) is None


def test_a_launcher_that_sets_some_variables_only() -> None:
    """Each process would train alone, in a run folder of its own."""
    some = {name: TORCHRUN[name] for name in ("RANK", "WORLD_SIZE")}
    assert refused(some).endswith("but not LOCAL_RANK and MASTER_ADDR and MASTER_PORT")
    assert place_of({**some, "WORLD_SIZE": "1"}) is None


def refused(environment: dict[str, str]) -> str:
    with pytest.raises(SpecError) as raised:
        place_of(environment)
    (found,) = raised.value.diagnostics
    assert found.code == "no-launch"
    return found.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"RANK": "first"}, "RANK is `first`, which is not a number"),
        ({"LOCAL_WORLD_SIZE": "-1"}, "LOCAL_WORLD_SIZE is `-1`, which is not a number"),
        ({"RANK": "16"}, "RANK is 16 and WORLD_SIZE is 16: ranks count from 0"),
        (
            {"LOCAL_WORLD_SIZE": "1"},
            "LOCAL_RANK is 1 and LOCAL_WORLD_SIZE is 1: ranks count from 0",
        ),
    ],
)
def test_variables_that_are_wrong(change: dict[str, str], message: str) -> None:
    assert refused({**TORCHRUN, **change}) == message


SLURM = {
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NODELIST": "gpu[07-09,12],large1",
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_ID": "0",
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("gpu[07-09,12],large1", "gpu07 gpu08 gpu09 gpu12 large1"),
        ("gpu[3,5]", "gpu3 gpu5"),
        ("host[01-04,7]", "host01 host02 host03 host04 host7"),
        ("gpu[098-101]", "gpu098 gpu099 gpu100 gpu101"),
        ("rack[1-2]n[01,3]-ib,x", "rack1n01-ib rack1n3-ib rack2n01-ib rack2n3-ib x"),
        ("node-1.cluster,node-2.cluster", "node-1.cluster node-2.cluster"),
        ("one", "one"),
        ("", ""),
    ],
)
def test_node_lists_of_slurm(text: str, names: str) -> None:
    assert " ".join(host_names(text)) == names


def test_a_huge_node_list_is_bounded() -> None:
    assert len(host_names("n[1-99999999]x[1-9]")) <= 65_536


def test_tasks_of_srun_are_numbered_as_torchrun_does() -> None:
    found = place_of(SLURM)
    assert found is not None
    hosts = ("gpu07", "gpu08", "gpu09", "gpu12", "large1")
    assert found == Place(9, 16, 1, None, "gpu07", found.port, hosts)
    assert place_of({**SLURM, "SLURM_PROCID": "0"}) == replace(found, rank=0)
    another_step = place_of({**SLURM, "SLURM_STEP_ID": "1"})
    assert another_step is not None
    assert another_step.port != found.port
    of_the_job = {**SLURM, "SLURM_JOB_NODELIST": SLURM["SLURM_STEP_NODELIST"]}
    assert place_of({**of_the_job, "SLURM_STEP_NODELIST": ""}) == found


def test_what_is_set_comes_before_what_slurm_says() -> None:
    """As by torchrun, which `srun` may start once on each machine."""
    alone = dict.fromkeys(SLURM, "")
    found = place_of({**SLURM, **TORCHRUN})
    assert found is not None
    assert replace(found, hosts=()) == place_of({**alone, **TORCHRUN})
    found = place_of({**SLURM, **TORCHRUN, "WORLD_SIZE": "32"})
    assert found is not None
    assert replace(found, hosts=()) == place(9, 32, 1, None)
    found = place_of({**SLURM, "MASTER_PORT": "29500"})
    assert found is not None
    assert (found.address, found.port) == ("gpu07", 29500)


@pytest.mark.parametrize(
    "change",
    [
        {"WORLD_SIZE": "1"},
        {"SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_STEP_NUM_TASKS": ""},  # in a batch script, without `srun`
        {"SLURM_STEP_NODELIST": ""},
    ],
)
def test_a_process_of_slurm_that_is_alone(change: dict[str, str]) -> None:
    assert place_of({**SLURM, "SLURM_NTASKS": "16", **change}) is None


def test_who_prints_a_whole_error() -> None:
    assert [rank_of(each) for each in ({}, SLURM, TORCHRUN, {"RANK": "x"})] == ["0", "9", "9", "x"]


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
    assert local_gpu(place(3, 8, local_rank, 8)) == torch.device("cuda", index)


def test_a_process_joins_with_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the current one before there is any communication, which would take `cuda:0`."""
    calls: list[object] = []
    store = torch.distributed.HashStore()
    monkeypatch.setattr(distributed, "find_device", lambda name: torch.device(name))
    monkeypatch.setattr(distributed, "open_store", lambda *_: store)
    monkeypatch.setattr(distributed, "meet", lambda *_: None)
    monkeypatch.setattr(Processes, "gathered", lambda _, value: [value] * 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda backend, **_: calls.append(backend)
    )
    beats = Heartbeats(3, "node-1")
    joined = distributed._join(place(3, 8, 3, 8), "cuda", {}, beats, print, print)
    assert calls == [torch.device("cuda:3"), "nccl"]
    assert joined.device == torch.device("cuda:3")


@pytest.mark.parametrize(
    ("hosts", "cores", "sharing"),
    [
        ("aabb", "0123 0123 0123 0123", 2),
        ("aabb", "01 23 01 23", 1),  # srun --cpus-per-task 2
        ("abab", "0123 0123 0123 0123", None),  # srun --distribution=cyclic
    ],
)
def test_processes_of_a_machine(
    monkeypatch: pytest.MonkeyPatch, hosts: str, cores: str, sharing: int | None
) -> None:
    """Their ranks follow each other; their cores may be their own."""
    machines = [
        distributed.Machine(host, [], frozenset(map(int, own)))
        for host, own in zip(hosts, cores.split(), strict=True)
    ]
    monkeypatch.setattr(distributed, "open_store", lambda *_: torch.distributed.HashStore())
    monkeypatch.setattr(distributed, "meet", lambda *_: None)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(distributed, "Machine", lambda *_: machines[2])
    monkeypatch.setattr(Processes, "gathered", lambda *_: machines)
    local = 0 if sharing else 1
    environment = {"OMP_NUM_THREADS": "1"}
    beats = Heartbeats(2, "b")
    join = partial(distributed._join, place(2, 4, local, 2), "cpu", environment, beats)
    if sharing is not None:
        assert join(print, print).sharing_cores == sharing
        return
    with pytest.raises(SpecError) as raised:
        join(print, print)
    assert raised.value.diagnostics[0].notes == ("by rank: a, b, a, b",)


def test_buffers_are_not_broadcast_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shared before validation: each of them would be a collective of its own."""
    monkeypatch.setattr(process_group, "DistributedDataParallel", lambda module, **options: options)
    options = Processes(0, 2).wrapped(nn.BatchNorm2d(3))
    assert [options.get(name) for name in ("forward_sync_buffers", "broadcast_buffers")].count(
        False
    ) == 1


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SpecError) as raised:
        local_gpu(place(3, 4, 3, 4))
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
    assert ended("os.kill(os.getpid(), signal.SIGKILL)", WAITS) == -signal.SIGKILL


def test_one_that_was_killed_is_the_cause_of_other_errors() -> None:
    processes = [child("os._exit(1)"), child("os.kill(os.getpid(), signal.SIGKILL)")]
    for process in processes:
        process.wait()
    assert distributed._wait_for(processes, []) == -signal.SIGKILL


@pytest.mark.usefixtures("no_grace")
def test_a_second_signal_ends_all() -> None:
    assert ended(WAITS, "os._exit(130)", signals=[0.0, 0.0]) == 130


def test_a_signal_before_there_is_anything_to_save() -> None:
    assert ended("os.kill(os.getpid(), signal.SIGTERM)", signals=[0.0]) == 130
    assert ended("pass", "pass") == 0


class Started:
    """In place of `subprocess.Popen`: starts processes that run these lines, one after another."""

    def __init__(self, patch: pytest.MonkeyPatch, *codes: str | Exception) -> None:
        self.codes = list(codes)
        self.processes: list[subprocess.Popen[bytes]] = []
        patch.setattr(distributed, "subprocess", self)

    def Popen(self, *_: object, **__: object) -> subprocess.Popen[bytes]:  # noqa: N802
        code = self.codes.pop(0)
        if isinstance(code, Exception):
            raise code
        self.processes.append(child(code))
        return self.processes[-1]


@pytest.mark.usefixtures("no_grace")
def test_a_process_that_is_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system does if memory runs out: nobody else says why training ends."""
    Started(monkeypatch, "os.kill(os.getpid(), signal.SIGKILL)", WAITS)
    with pytest.raises(SpecError) as raised:
        distributed.start(2, [], "cpu")
    (found,) = raised.value.diagnostics
    assert found.message == "one of the processes was ended by SIGKILL"
    assert "memory" in found.help


def test_no_process_is_left_if_another_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, WAITS, OSError("no memory"))
    with pytest.raises(OSError, match="no memory"):
        distributed.start(2, [], "cpu")
    assert [process.poll() for process in started.processes] == [-signal.SIGKILL]


def test_a_signal_while_processes_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are started after it get it, too."""
    started = Started(monkeypatch, WAITS, WAITS)
    start = started.Popen

    def second(*_: object, **__: object) -> subprocess.Popen[bytes]:
        if started.processes:
            os.kill(os.getpid(), signal.SIGTERM)
        return start()

    monkeypatch.setattr(started, "Popen", second)
    assert distributed.start(2, [], "cpu") == 130
    assert [process.poll() for process in started.processes] == [-signal.SIGTERM] * 2


def test_processes_that_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port of the first process is in use; the others find nobody, or a program that waits."""
    monkeypatch.setattr(meeting, "ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        first = replace(place(0, 2, 0, 2), address="127.0.0.1", port=port)
        assert (
            didnt_meet(first)
            == f"port {port} of {socket.gethostname()} is in use by another program"
        )
        where = f"the 2 processes did not meet at 127.0.0.1, port {port}"
        other = replace(first, rank=1)
        assert didnt_meet(other) == f"{where}: another program answers there, not process 0"
    monkeypatch.setattr(meeting, "MEETING", 0.0)
    assert didnt_meet(other) == f"{where}: Connection refused"


def didnt_meet(at: Place) -> str:
    with pytest.raises(SpecError) as raised:
        meeting.open_store(at, {}, print)
    return raised.value.diagnostics[0].message


def test_who_is_missing_and_where_the_others_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_TELL", 0.0)
    monkeypatch.setattr(meeting, "MEETING", 0.3)
    lines: list[str] = []
    at = replace(place(0, 2, 0, 1), address="192.0.2.7", port=free_port())
    store = meeting.open_store(at, {}, lines.append)
    with pytest.raises(SpecError, match="1 of 2 processes came"):
        meeting.meet(at, store, Heartbeats(0, "node-1"), lines.append)
    assert lines[0].endswith("MASTER_ADDR is 192.0.2.7, which is not an address of this computer")


def test_other_versions_are_named() -> None:
    """Before anything else is exchanged: what they exchange may differ."""
    one = Heartbeats(0, "node-1", {"dotcnn": "0.2.0", "torch": "2.13.0"})
    other = Heartbeats(3, "node-2", {"dotcnn": "0.2.0", "torch": "2.9.1"})
    with socket.create_server(("127.0.0.1", 0)) as server:
        one.listen(server, "token")
        other.connect(socket.create_connection(server.getsockname()), "node-1", "token")
        end = time.monotonic() + 20
        while len(one.hosts()) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        found = one.other_version()
        assert found is not None
        assert found.message == (
            "process 3 on node-2 has torch 2.9.1, and process 0 on node-1 has torch 2.13.0"
        )
        one.leave()
        other.leave()
        time.sleep(0.1)


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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc is Linux's")
def test_a_signal_while_a_process_starts(tmp_path: Path) -> None:
    """A scheduler may send it at any time, and takes only 130 for `to be continued`."""
    (tmp_path / "net.cnn").write_text("network N { input 1x8x8, flatten, fc classes }")
    several = {
        "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "dotcnn", "train", "net.cnn", "--data", "digits", "--device", "cpu"],
        cwd=tmp_path,
        env={**os.environ, **several},
    )
    try:
        end = time.monotonic() + 60
        while not _catches(process.pid, signal.SIGUSR1) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()


def _catches(process: int, number: int) -> bool:
    text = Path(f"/proc/{process}/status").read_text()
    return bool(int(text.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)
