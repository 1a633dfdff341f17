"""Several processes give the same result as one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.request import overrides_of, request
from dotcnn.training.runtime import sync_batchnorm
from dotcnn.training.runtime.distributed import free_port as port
from dotcnn.training.runtime.process_group import Processes
from dotcnn.training.runtime.sync_batchnorm import Shares, set_shares, synchronized
from dotcnn.training.trainer.train import train

from ..data.sets import fill
from ..small import last
from ..starting import Trainer

SPEC = """
network Net {
  input 1x8x8
  conv 4 3x3 stride=2 same, bn, relu
  flatten
  fc classes
}
train {
  data digits
  epochs 2
  batch 150
  accumulate 2
  optimizer sgd lr=0.05 momentum=0.9
  weights balanced
  sync_bn on
  deterministic on
}
"""
"""1,438 images: the last step of an epoch has fewer than the others, the last batch fewer still."""


def measured(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def seen(folder: Path) -> dict[str, Any]:
    """What the second process saw when it left."""
    return json.loads(folder.with_suffix(".seen").read_text())  # type: ignore[no-any-return]


def close(one: Path, two: Path) -> None:
    """But for the order in which numbers are added up."""
    ours, theirs = last(one), last(two)
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], atol=1e-4, rtol=1e-3)
    for line, other in zip(measured(one), measured(two), strict=True):
        for part in ("train", "val"):
            assert line[part] == pytest.approx(other[part], rel=1e-3)
        assert line["steps"] == other["steps"]


def same_weights(one: Path, two: Path) -> None:
    ours, theirs = last(one), last(two)
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], atol=1e-6, rtol=1e-5)


SMALL = SPEC.replace("bn, relu", "bn, relu, conv 4 3x3 same, evonorm_b0")


@pytest.mark.parametrize(
    ("world", "images", "batch", "augment"),
    [
        (2, 21, 4, ""),
        pytest.param(3, 17, 4, "", marks=pytest.mark.slow),
        pytest.param(3, 21, 4, "mixup 0.4, rotate 10", marks=pytest.mark.slow),
        pytest.param(4, 26, 8, "", marks=pytest.mark.slow),
        pytest.param(4, 17, 4, "mixup 0.4", marks=pytest.mark.slow),
    ],
)
def test_a_batch_with_fewer_images_than_processes(
    trainer: Trainer, tmp_path: Path, world: int, images: int, batch: int, augment: str
) -> None:
    """The last one of an epoch has one image or two. Some processes have none then: their part of
    the gradient is zero, and norms and metrics do not count the image that they compute with."""
    fill(tmp_path / "set" / "train", {"a": images // 2, "b": images - images // 2})
    fill(tmp_path / "set" / "val", {"a": 8, "b": 8})
    data = f'data folder "{tmp_path / "set"}"'
    spec = SMALL.replace("data digits", data).replace("batch 150", f"batch {batch}")
    spec += f"augment {{ {augment} }}\n" if augment else ""
    assert trainer(spec, tmp_path / "one") == 0
    assert trainer(spec, tmp_path / "many", world=world, port=port()) == 0
    ours, theirs = last(tmp_path / "many"), last(tmp_path / "one")
    for key in theirs:
        torch.testing.assert_close(ours[key], theirs[key], atol=1e-6, rtol=1e-5)
    close(tmp_path / "many", tmp_path / "one")


MIXED = SPEC.replace("bn, relu", "bn, relu, conv 4 3x3 same, evonorm_b0") + (
    "augment { rotate 10, mixup 0.4, cutmix 1 p=50%, noise 0.05 }\n"
)
"""Who is mixed with whom does not depend on who has which images. Both layers that look at a whole
batch look at the images of both processes."""


@pytest.mark.parametrize(
    "spec",
    [SPEC, SPEC.replace("bn, ", "").replace("sync_bn on", ""), MIXED],
    ids=["norms", "none", "mixed"],
)
def test_two_processes_give_the_result_of_one(trainer: Trainer, tmp_path: Path, spec: str) -> None:
    """With norms, these have to be `sync_bn`: else each looks at its own images alone."""
    assert trainer(spec, tmp_path / "one") == 0
    assert trainer(spec, tmp_path / "two", world=2, port=port()) == 0
    close(tmp_path / "two", tmp_path / "one")
    record = json.loads((tmp_path / "two" / "record.json").read_text())
    assert record["world"] == 2
    assert record["state"] == "done"


@pytest.mark.slow
def test_each_computes_a_share_of_the_features(trainer: Trainer, tmp_path: Path) -> None:
    """One that is alone finds them, and has learned the same without."""
    assert trainer(SPEC, tmp_path / "first") == 0
    frozen = SPEC + f'transfer {{ from "{tmp_path / "first"}", freeze until bn, CACHE }}\n'
    plain, cached = frozen.replace(", CACHE", ""), frozen.replace("CACHE", "cache features")
    assert trainer(plain, tmp_path / "plain") == 0
    assert trainer(cached, tmp_path / "two" / "run", world=2, port=port()) == 0
    close(tmp_path / "two" / "run", tmp_path / "plain")
    features = sorted((tmp_path / "two" / "features").iterdir())
    assert [path.suffix for path in features] == [".npy", ".npy"]
    before = [path.stat().st_mtime_ns for path in features]
    assert trainer(cached, tmp_path / "two" / "alone") == 0
    assert [path.stat().st_mtime_ns for path in features] == before
    close(tmp_path / "two" / "alone", tmp_path / "plain")
    assert trainer(cached, tmp_path / "one" / "run") == 0
    for path in features:
        rows, expected = numpy.load(path), numpy.load(tmp_path / "one" / "features" / path.name)
        numpy.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_machines_without_a_common_disk_have_all_features(trainer: Trainer, tmp_path: Path) -> None:
    """Each computes a share, and gets those of the others; later, one that has lost its files gets
    them from the other one."""
    assert trainer(SPEC, tmp_path / "first") == 0
    spec = tmp_path / "net.cnn"
    transfer = (
        f'transfer {{ from "{tmp_path / "first"}", freeze until bn, cache features passes=2 }}\n'
    )
    spec.write_text(SPEC + transfer + "augment { rotate 10 }\n")
    machines = [tmp_path / "one", tmp_path / "two"]
    for machine in machines:
        machine.mkdir()
    places = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}

    def train_on_both(output: str) -> str:
        error = tmp_path / f"{output}.txt"
        code = trainer.command(
            *("train", spec, "-o", output, "--device", "cpu"),
            error=error,
            world=2,
            port=port(),
            folders=[str(machine) for machine in machines],
            environment=places,
        )
        text = error.read_text()
        assert code == 0, text
        return text

    def features() -> list[dict[str, bytes]]:
        return [
            {path.name: path.read_bytes() for path in (machine / "features").iterdir()}
            for machine in machines
        ]

    assert "features: computed" in train_on_both("run")
    one, two = features()
    assert len(one) == 2
    assert one == two
    lost = sorted((machines[1] / "features").iterdir())
    for path in lost:
        path.unlink()
    before = [path.stat().st_mtime_ns for path in sorted((machines[0] / "features").iterdir())]
    assert "features: computed" not in train_on_both("again")
    after = [path.stat().st_mtime_ns for path in sorted((machines[0] / "features").iterdir())]
    assert after == before
    assert features() == [one, one]
    assert trainer(spec.read_text(), machines[0] / "alone") == 0
    assert features() == [one, one]
    close(machines[0] / "run", machines[0] / "alone")
    close(machines[0] / "again", machines[0] / "alone")


def test_an_error_in_one_process_ends_all(trainer: Trainer, tmp_path: Path) -> None:
    assert trainer(SPEC, tmp_path / "first") == 0
    (tmp_path / "file").touch()
    lines = f'from "{tmp_path / "first"}", freeze until bn, cache features folder="{tmp_path}/file"'
    folder = tmp_path / "run"
    assert trainer(SPEC + f"transfer {{ {lines} }}\n", folder, world=2, port=port()) == 1
    assert "cannot write features to" in folder.with_suffix(".error").read_text()


def test_processes_stop_together_and_resume(trainer: Trainer, tmp_path: Path) -> None:
    """One of them is asked to; all end with the same step. Then they go on, or one alone does.

    None ends before the first has written the checkpoint: whoever started them may take the end of
    one for a failure, and end the others. To go on, only the first needs the run folder."""
    whole, folder, alone = (tmp_path / name for name in ("whole", "run", "alone"))
    assert trainer(SPEC, whole, world=2, port=port()) == 0
    assert trainer(SPEC, folder, world=2, port=port(), stop_after=3, slow_checkpoint=0.3) == 0
    assert seen(folder) == {"saved": True, "local_world": 2}
    state = read_checkpoint(folder / "last.ckpt")
    assert 0 < state["position"]["position"] < 1438
    assert len(state["random"]) == 2
    alone.mkdir()
    for file in folder.iterdir():
        (alone / file.name).write_bytes(file.read_bytes())
    assert trainer(SPEC, folder, resume=True, world=2, port=port(), apart=True) == 0
    assert all(torch.equal(value, last(whole)[key]) for key, value in last(folder).items())
    assert trainer(SPEC, alone, resume=True) == 0
    close(alone, whole)


def test_figures_of_two_processes_agree(trainer: Trainer, tmp_path: Path) -> None:
    """What the record says of the best epoch is what its line says, to the last digit."""
    alone_here = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}  # as on two machines
    job = {"world": 2, "port": port(), "environment": alone_here}
    assert trainer(SPEC, tmp_path / "run", **job) == 0
    assert seen(tmp_path / "run")["local_world"] == 1
    result = json.loads((tmp_path / "run" / "record.json").read_text())["result"]
    best = next(
        line for line in measured(tmp_path / "run") if line["epoch"] == result["best_epoch"]
    )
    assert {name: result["val"][name] for name in best["val"]} == best["val"]


def test_an_error_is_printed_although_the_group_cannot_be_left(
    trainer: Trainer, tmp_path: Path
) -> None:
    spec, error = tmp_path / "net.cnn", tmp_path / "error.txt"
    spec.write_text(SPEC)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    command = ("train", spec, "-o", tmp_path / "run", "--device", "cpu")
    assert trainer.command(*command, error=error, world=2, port=port(), stuck_group=True) == 1
    text = error.read_text()  # two processes print to it, in pieces
    assert "error[run-exists]: " in text
    assert "process 1: " in text
    assert text.count(f"{tmp_path}/run is not empty; nothing is overwritten") == 2


@pytest.mark.slow
def test_a_bug_is_printed_although_the_group_cannot_be_left(
    trainer: Trainer, tmp_path: Path
) -> None:
    """And the other process says why it ends."""
    error = tmp_path / "error.txt"
    command = ("train", "digits", "-o", tmp_path / "run", "--device", "cpu")
    job = {"world": 2, "port": port(), "stuck_group": True, "bug": "no such luck"}
    assert trainer.command(*command, error=error, **job) == 1
    assert "ValueError: no such luck" in error.read_text()
    assert re.search(
        r"error\[process-ended\]: process 1 on \S+ failed: ValueError: no such luck",
        error.read_text(),
    )
    assert json.loads((tmp_path / "run" / "record.json").read_text())["state"] == "stopped"


@pytest.mark.slow
def test_a_run_continues_on_machines_that_do_not_have_its_folder(
    trainer: Trainer, tmp_path: Path
) -> None:
    """Only the first process can read it; the others get what is in it from the first."""
    assert trainer(SPEC, tmp_path / "whole", world=2, port=port()) == 0
    machines = [tmp_path / "one", tmp_path / "two"]
    for machine in machines:
        machine.mkdir()
    assert trainer(SPEC, machines[0] / "run", world=2, port=port(), stop_after=3) == 0
    error = tmp_path / "error.txt"
    code = trainer.command(
        *("train", "--resume", "run", "--device", "cpu"),
        error=error,
        world=2,
        port=port(),
        folders=[str(machine) for machine in machines],
    )
    assert code == 0, error.read_text()
    assert list(machines[1].iterdir()) == []
    whole = last(tmp_path / "whole")
    assert all(torch.equal(value, whole[key]) for key, value in last(machines[0] / "run").items())


@pytest.mark.slow
def test_processes_agree_on_micro_batches(trainer: Trainer, tmp_path: Path) -> None:
    """If memory runs out in one of them, all compute their batches in parts: gradients are those of
    one process, and are exchanged once for each step. If not one image fits, all end."""
    spec = SPEC.replace("bn, ", "").replace("sync_bn on", "").replace("epochs 2", "epochs 1")
    assert trainer(spec, tmp_path / "one") == 0
    assert trainer(spec, tmp_path / "two", world=2, port=port(), room=20) == 0
    assert read_checkpoint(tmp_path / "two" / "last.ckpt")["micro_batches"] == 4
    close(tmp_path / "two", tmp_path / "one")
    assert trainer(spec, tmp_path / "none", world=2, port=port(), room=0.5) == 1
    assert "not even one image fits" in (tmp_path / "none.error").read_text()


def test_all_validate_with_the_statistics_that_are_saved(trainer: Trainer, tmp_path: Path) -> None:
    """Without `sync_bn`, each process has norm statistics of its own. The metrics are those of the
    weights in the run folder, in which the statistics of the first process are."""
    spec = SPEC.replace("sync_bn on", "").replace("epochs 2", "epochs 1\n  ema 0.9")
    assert trainer(spec, tmp_path / "run", world=2, port=port()) == 0
    _, line = measured(tmp_path / "run")
    outcome = dotcnn.evaluate(tmp_path / "run", device="cpu")
    assert {name: outcome.metrics[name] for name in line["val"]} == pytest.approx(
        line["val"], rel=1e-5
    )


def test_processes_of_different_runs() -> None:
    """As where `srun` starts a command with options that depend on the task."""
    asked = request(Source("net.cnn", SPEC), set=overrides_of({"train.seed": 5}))

    class Others(Processes):
        def gathered(self, value: Any) -> list[Any]:
            _, own = value
            other = request(Source("net.cnn", SPEC))
            return [value, ("gpu08", own._replace(plan=other.plan.to_json()))]

    with pytest.raises(SpecError, match="started with different specs or options") as caught:
        train(asked, "", processes=Others(0, 2))
    (note,) = caught.value.diagnostics[0].notes
    assert note.startswith("train.seed is 0 in process 1 on gpu08, and 5 in process 0 on ")


def test_synchronized_norms_sum_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 has no digits for the sums of a batch."""
    monkeypatch.setattr(sync_batchnorm, "_summed", lambda value: value)
    images = torch.randn(33, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + 50
    plain, ours = nn.BatchNorm2d(3), synchronized(nn.BatchNorm2d(3), torch.device("cpu"))
    expected, output = plain(images.bfloat16().float()), ours(images.bfloat16())
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("gpu", [False, True])
def test_an_image_that_does_not_count(monkeypatch: pytest.MonkeyPatch, gpu: bool) -> None:
    """It stands for a share without images; norms of GPUs are then computed as on CPUs."""
    sums: list[torch.Tensor] = []
    monkeypatch.setattr(sync_batchnorm, "_summed", lambda value: sums.append(value) or value)
    norm = synchronized(nn.BatchNorm2d(3), torch.device("cuda" if gpu else "cpu"))
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    set_shares(norm, Shares.OWN)
    expected = nn.BatchNorm2d(3)(images)
    torch.testing.assert_close(norm(images), expected)
    sums.clear()
    set_shares(norm, Shares.NONE)
    norm(images)
    assert sums[0] == 0


@pytest.mark.slow
def test_an_ensemble_that_is_finished_can_be_resumed(trainer: Trainer, tmp_path: Path) -> None:
    spec = SPEC.replace("epochs 2", "epochs 1\n  ensemble 2")
    assert trainer(spec, tmp_path / "run", world=2, port=port()) == 0
    assert trainer(spec, tmp_path / "run", resume=True, world=2, port=port()) == 0


def test_two_processes_read_a_folder_together(trainer: Trainer, tmp_path: Path) -> None:
    """Each decodes half of it; a file that one of them cannot read is left out by both."""
    fill(tmp_path / "set", {"a": 40, "b": 40})
    for name in ("a/000.png", "b/039.png"):
        (tmp_path / "set" / name).write_bytes(b"")
    data = f'data folder "{tmp_path / "set"}" bad=5%'
    spec = SPEC.replace("data digits", data).replace("batch 150", "batch 16")
    assert trainer(spec, tmp_path / "one") == 0
    assert trainer(spec, tmp_path / "two", world=2, port=port()) == 0
    close(tmp_path / "two", tmp_path / "one")
    one, two = (
        json.loads((tmp_path / each / "record.json").read_text()) for each in ("one", "two")
    )
    assert two["dataset"] == one["dataset"]
    assert len(two["dataset"]["bad"]) == 2
    missing = spec.replace("bad=5%", "bad=0%")
    assert trainer(missing, tmp_path / "bad", world=2, port=port()) == 1
    assert "2 of 80 files" in (tmp_path / "bad.error").read_text()
