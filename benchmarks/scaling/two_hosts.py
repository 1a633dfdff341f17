"""Two computers train ResNet-8 with gloo, one of them is killed, and the same command goes on.

The computers are network namespaces without a disk in common (Linux, root, `ip`); processes are
started as `srun` of Slurm does. The log has what each computer prints. At the end, the weights are
compared with those of one process that was never interrupted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import torch

from dotcnn.benchmarks.scaling.table import print_machine
from dotcnn.training.weights.read import read_weights

if TYPE_CHECKING:
    from network_hosts import Host

ROOT = Path(__file__).parents[2]
TRAIN = """
train {
  data npz "images.npz"
  epochs 4
  batch 64
  optimizer sgd lr=0.02 momentum=0.9
  precision fp32
  channels_last off
  compile off
  sync_bn on
  deterministic on
  workers 1
  checkpoint every=5 steps
}
"""
_QUIET = re.compile(r"\[W|\s{4}|precision|epoch +0|images |digits|report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=1280, help="for training (default: 1280)")


def run(options: argparse.Namespace) -> int:
    sys.path.append(str(ROOT / "tests"))
    import network_hosts

    why = network_hosts.missing()
    if why:
        print(f"left out: {why}")
        return 0
    print_machine("torch")
    folder = Path(tempfile.mkdtemp(prefix="two-hosts-"))
    try:
        with network_hosts.network("host1", "host2", folder=folder) as hosts:
            for host in hosts:
                _prepare(host.folder, options.images)
            return _told(hosts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, images: int) -> None:
    """The spec, and images of ten classes with a brightness and a stripe for each."""
    spec = (ROOT / "specs/cifar/resnet8.cnn").read_text(encoding="utf-8")
    (folder / "resnet8.cnn").write_text(spec + TRAIN, encoding="utf-8")
    random = numpy.random.default_rng(0)
    arrays = {}
    for part, count in (("train", images), ("val", images // 4)):
        labels = numpy.arange(count) % 10
        pixels = random.integers(0, 90, (count, 32, 32, 3))
        pixels += 10 * labels[:, None, None, None]
        for image, label in zip(pixels, labels, strict=True):
            image[3 * label : 3 * label + 3, :, label % 3] += 60
        arrays |= {f"x_{part}": pixels.clip(0, 255).astype(numpy.uint8), f"y_{part}": labels}
    numpy.savez(folder / "images.npz", **arrays)


COMMAND = [
    sys.executable, "-m", "dotcnn", "train", "resnet8.cnn", "-o", "run", "--resume",
    "--device", "cpu",
]  # fmt: skip


def _told(hosts: list[Host]) -> int:
    from network_hosts import srun

    one, two = hosts
    _say("srun: host1 and host2 start")
    began = srun(hosts, COMMAND, log="first.log")
    epoch = _follow(hosts, "first.log", lambda: "epoch 2/4" in one.said("first.log"), began)
    if not epoch:
        return 1
    _say("host2: every process is killed with SIGKILL")
    two.signal(signal.SIGKILL)
    killed = time.monotonic()
    began[0].wait(timeout=90)
    _show(hosts, "first.log")
    _say(
        f"host1 has ended {time.monotonic() - killed:.1f} s later, exit code {began[0].returncode}"
    )
    _say("srun: the same command again")
    again = srun(hosts, COMMAND, log="second.log")
    _follow(hosts, "second.log", lambda: all(p.poll() is not None for p in again), again)
    _say(f"exit codes {[process.returncode for process in again]}")

    whole = one.start(["sh", "-c", _words(COMMAND).replace("-o run", "-o whole")], log="whole.log")
    whole.wait(timeout=600)
    return _compared(one.folder / "run", one.folder / "whole")


def _words(command: list[str]) -> str:
    return " ".join(command)


def _compared(run: Path, whole: Path) -> int:
    ours, theirs = (read_weights(each / "best.safetensors") for each in (run, whole))
    off = max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)
    size = max(float(tensor.abs().max()) for tensor in theirs.values())
    lines = [
        json.loads((each / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        for each in (run, whole)
    ]
    _say(f"weights: largest difference from one process {off:.1e} (largest weight {size:.2f})")
    for name, line in zip(("two hosts, one killed", "one process"), lines, strict=True):
        metrics = ", ".join(f"{key} {line['val'][key]:.5f}" for key in ("loss", "top1"))
        _say(f"{name}: {line['steps']} steps, val {metrics}")
    torch.testing.assert_close(
        torch.tensor(lines[0]["val"]["loss"]), torch.tensor(lines[1]["val"]["loss"]),
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip
    return int(off > 1e-3 * size or lines[0]["steps"] != lines[1]["steps"])


# ---- the log -----------------------------------------------------------------------------------

_shown: dict[tuple[str, str], int] = {}
_began = time.monotonic()


def _say(line: str, who: str = "") -> None:
    print(f"{time.monotonic() - _began:6.1f} s  {who:<6} {line}", flush=True)


def _show(hosts: list[Host], log: str) -> None:
    """Prints what is new in the logs of the computers."""
    for host in hosts:
        lines = host.said(log).splitlines()
        for line in lines[_shown.get((host.name, log), 0) :]:
            if line.strip() and not _QUIET.match(line.lstrip() if line[:4] != "    " else line):
                _say(re.sub(r" {2,}", "  ", line)[:110], host.name)
        _shown[host.name, log] = len(lines)


def _follow(
    hosts: list[Host], log: str, holds: object, processes: list[subprocess.Popen[str]]
) -> bool:
    """Prints the logs until something holds; False if the processes have ended before."""
    assert callable(holds)
    end = time.monotonic() + 600
    while time.monotonic() < end:
        _show(hosts, log)
        if holds():
            _show(hosts, log)
            return True
        if all(process.poll() is not None for process in processes):
            _show(hosts, log)
            return False
        time.sleep(0.2)
    return False
