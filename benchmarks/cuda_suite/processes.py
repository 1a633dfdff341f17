"""`processes`: training in a process group, as far as one GPU can show it.

NCCL lets each GPU have one process only. So a group of one rank goes the way of many by itself; and
two ranks share the GPU with gloo.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from dotcnn.training.runtime.distributed import free_port

from .check import Check, Facts, Setting, require
from .run import kill_tree, run_program, stopped_after_checkpoint
from .training import AfterSteps, checkpoint, distance, images, trained

SPEC = """
network Net {
  input 3x16x16
  conv 8 3x3 stride=2 same, gn 2, relu
  conv 16 3x3 stride=2 same, gn 2, relu
  pool avg global
  flatten
  fc 6
}
"""
"""Without batch norms, which would look at one half of a batch only."""

WEIGHTS = "weights.pt"

_CHANGES = {
    "train.epochs": 2,
    "train.batch": 24,
    "train.optimizer": "sgd lr=0.05 momentum=0.9",
    "train.precision": "fp32 tf32=off",
    "train.channels_last": "off",
    "train.deterministic": "on",
}


def checks(setting: Setting) -> Iterator[Check]:
    gpu = setting.device.startswith("cuda")
    alone = "nccl" if gpu else "gloo"
    yield Check("ranks", f"one {alone} rank", partial(_compared, setting, alone, 1))
    yield Check("ranks", "two gloo ranks, one device", partial(_compared, setting, "gloo", 2))
    yield Check("commands", "cnn train --devices", partial(_devices, setting))
    for name in ("INT", "TERM"):
        title = f"cnn train --devices, SIG{name}, resumed"
        yield Check("commands", title, partial(_stopped, setting, name))


# ---- ranks ---------------------------------------------------------------------------------------


class Several(int):
    """A number of processes that is 1 and counts as more: whoever asks whether there are several is
    told so, and everything computed from it is that of one."""

    def __eq__(self, other: object) -> bool:
        return other != 1 and int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __gt__(self, other: int) -> bool:
        return int(self) >= other

    __hash__ = int.__hash__


def _compared(setting: Setting, backend: str, ranks: int) -> Facts:
    """The ranks come to what a process without a group does; a step takes how much longer."""
    folder = setting.new_folder("ranks")
    told, *_ = _ranks(setting, folder, backend, ranks)
    times: list[float] = []
    alone = trained(
        setting, SPEC, callback=AfterSteps(lambda done: times.append(time.perf_counter())),
        plain=False, **{name.replace(".", "__"): value for name, value in _CHANGES.items()},
    )  # fmt: skip
    off = distance(torch.load(folder.parent / WEIGHTS), alone.module.cpu().state_dict())
    facts = {
        "weights": off,
        "ms a step": 1000 * told["seconds"],
        "ms a step alone": 1000 * _median_step(times),
    }
    # Two ranks add up in another order.
    require(off < 1e-4 * ranks**3, "it is something else than what one process comes to", facts)
    return facts


def _ranks(setting: Setting, folder: Path, backend: str, ranks: int) -> list[dict[str, Any]]:
    """Trains in several processes; what each of them has to tell."""
    port = free_port()
    processes = []
    for rank in range(ranks):
        job = {
            "rank": rank, "ranks": ranks, "backend": backend, "port": port,
            "device": setting.device, "folder": str(folder),
        }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", __name__, json.dumps(job)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=setting.folder,
            )
        )
    try:
        outputs = [process.communicate(timeout=setting.patience(60)) for process in processes]
    finally:
        for process in processes:
            kill_tree(process)
    for process, (_, errors) in zip(processes, outputs, strict=True):
        last = " ".join(errors.strip().splitlines()[-2:])[-300:]
        require(process.returncode == 0, f"exit code {process.returncode}: {last}")
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


def _median_step(times: list[float]) -> float:
    steps = sorted(after - before for before, after in pairwise(times))
    return steps[len(steps) // 2]


def _rank(job: Mapping[str, Any]) -> dict[str, Any]:
    """One of the processes."""
    import dotcnn
    from dotcnn.dsl.source import Source
    from dotcnn.training.data.sources.arrays_given import ArrayData
    from dotcnn.training.request import overrides_of, request
    from dotcnn.training.runtime.process_group import Processes
    from dotcnn.training.trainer.train import train

    from .training import without_report

    device = torch.device(job["device"])
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
    dist.init_process_group(
        job["backend"],
        init_method=f"tcp://127.0.0.1:{job['port']}",
        rank=job["rank"],
        world_size=job["ranks"],
    )
    world = Several(1) if job["ranks"] == 1 else job["ranks"]
    times: list[float] = []
    with without_report():
        result = train(
            request(
                Source("<text>", SPEC),
                set=overrides_of(_CHANGES),
                data=ArrayData.of(images(96)),
            ),
            dotcnn.__version__,
            output=Path(job["folder"]),
            device=str(device),
            callback=AfterSteps(lambda done: times.append(time.perf_counter())),
            processes=Processes(job["rank"], world, device, local_world=job["ranks"]),
        )
    dist.destroy_process_group()
    if not job["rank"]:
        torch.save(result.module.cpu().state_dict(), Path(job["folder"]).parent / WEIGHTS)
    return {"metrics": result.metrics, "seconds": _median_step(times) if times else 0.0}


# ---- commands ------------------------------------------------------------------------------------


def _command(setting: Setting, folder: Path, epochs: int) -> list[str]:
    count = "1" if setting.device.startswith("cuda") else "2"
    return [
        sys.executable, "-m", "dotcnn", "train", "digits", "-o", str(folder), "--devices", count,
        "--device", setting.device, "--set", f"train.epochs={epochs}", "--set", "train.batch=256",
    ]  # fmt: skip


def _devices(setting: Setting) -> Facts:
    """On a GPU, a group of one NCCL process; on a CPU, of two."""
    folder = setting.folder / "devices"
    result = run_program(_command(setting, folder, 1), setting, 90)
    require(result.code == 0, f"exit code {result.code}: {result.last}")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return {"processes": record["world"], "seconds": record["result"]["seconds"]}


def _stopped(setting: Setting, name: str) -> Facts:
    """A signal to the command that started the processes: they save, and the run goes on."""
    folder = setting.folder / f"stopped-{name}"
    result, seconds = stopped_after_checkpoint(
        _command(setting, folder, 500), folder, setting, getattr(signal, f"SIG{name}")
    )
    facts = {"exit code": result.code, "seconds to end": seconds}
    require(result.code == 130, f"exit code {result.code}, not 130: {result.last}", facts)
    state = checkpoint(folder)
    epochs = state["position"]["epoch"] + 1
    resume = [sys.executable, "-m", "dotcnn", "train", "--resume", str(folder), "--device",
              setting.device, "--set", f"train.epochs={epochs}"]  # fmt: skip
    result = run_program(resume, setting, 60)
    require(result.code == 0, f"not resumed: {result.last}", facts)
    return facts


if __name__ == "__main__":
    print(json.dumps(_rank(json.loads(sys.argv[1]))))
