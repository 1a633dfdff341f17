"""Two computers, in network namespaces, train together without a disk in common."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from dotcnn.training.weights.read import read_weights

from ...network_hosts import Host, missing, network, srun

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

SPEC = """
network Net {
  input 1x8x8
  conv 4 3x3 stride=2 same, bn, relu
  flatten
  fc classes
}
train {
  data digits
  epochs 4
  batch 150
  optimizer sgd lr=0.05 momentum=0.9
  sync_bn on
  deterministic on
  checkpoint every=4 steps
}
"""
LIMIT = 120.0


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    with network("host1", "host2", folder=tmp_path) as computers:
        for each in computers:
            (each.folder / "net.cnn").write_text(SPEC)
        yield computers


def command(*more: str, output: str = "run") -> list[str]:
    train = ["train", "net.cnn", "-o", output, "--resume", "--device", "cpu"]
    return [sys.executable, "-m", "dotcnn", *train, *more]


ENDLESS = ("--set", "train.epochs=100000")


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds()


def test_the_weights_of_one_process(hosts: list[Host]) -> None:
    """Also after the first computer has become the second one, which has the run folder."""
    one, two = hosts
    alone = one.start(command(output="alone"), log="alone.log")
    assert alone.wait(LIMIT) == 0, one.said("alone.log")
    half = srun([one, two], command("--set", "train.epochs=2", "--set", "train.schedule=constant"))
    assert [each.wait(LIMIT) for each in half] == [0, 0], one.said() + two.said()
    assert sorted(each.name for each in two.folder.iterdir()) == ["log", "net.cnn", "tmp"]
    older = list((one.folder / "run").glob("step-*.ckpt"))
    assert len(older) == 1

    rest = srun([two, one], command("--set", "train.schedule=constant"), tasks=2, log="rest")
    assert [each.wait(LIMIT) for each in rest] == [0] * 4, one.said("rest") + two.said("rest")
    assert "run is copied from host1, which has the run: 2 epochs" in two.said("rest")
    assert not (two.folder / "run" / older[0].name).exists()  # only the last one was sent

    same = one.start(command("--set", "train.schedule=constant", output="same"), log="same.log")
    assert same.wait(LIMIT) == 0
    ours, theirs = (
        read_weights(folder / "best.safetensors")
        for folder in (two.folder / "run", one.folder / "same")
    )
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-6, rtol=1e-4)
    lines = [
        json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["val"]
        for folder in (two.folder / "run", one.folder / "same")
    ]
    assert lines[0] == pytest.approx(lines[1], rel=1e-4)


def test_a_computer_that_dies(hosts: list[Host]) -> None:
    one, two = hosts
    first, _ = srun(hosts, command(*ENDLESS))
    until((one.folder / "run" / "last.ckpt").exists)
    two.signal(signal.SIGKILL)
    assert first.wait(30) == 1
    assert "process 1 on host2 was killed, or its computer went down" in one.said()
    assert "Traceback" not in one.said()

    again = srun(hosts, command(*ENDLESS), log="again")
    until(lambda: "resumed  at epoch" in one.said("again"))
    two.signal(signal.SIGUSR1)
    assert [each.wait(LIMIT) for each in again] == [130, 130], one.said("again")


@pytest.mark.parametrize("how", ["unplugged", "stopped"])
def test_a_computer_that_falls_silent(hosts: list[Host], how: str) -> None:
    one, two = hosts
    first, second = srun(hosts, command(*ENDLESS))
    until((one.folder / "run" / "last.ckpt").exists)
    if how == "unplugged":
        two.unplug()
    else:
        two.signal(signal.SIGSTOP)
    assert first.wait(60) == 1
    assert "nothing was heard from process 1 on host2 for 40 s" in one.said()
    if how == "unplugged":
        assert second.wait(30) == 1
        assert "process 1: nothing was heard from process 0 on host1 for 40 s" in two.said()
    else:
        two.signal(signal.SIGCONT)
        assert second.wait(30) == 1
        assert "process 1: " in two.said()
    assert "Traceback" not in one.said() + two.said()


def test_names_that_stand_for_the_computer_itself(hosts: list[Host]) -> None:
    """Debian writes `127.0.1.1 NAME` into /etc/hosts: gloo would wait for others there."""
    for each in hosts:
        table = Path("/etc/netns", each.namespace, "hosts")
        table.write_text(table.read_text().replace(f"{each.address} ", "127.0.1.1 "))
    started = srun(hosts, command())
    assert [each.wait(LIMIT) for each in started] == [0, 0], hosts[0].said() + hosts[1].said()
