"""A run that is killed again and again, and goes on in worlds and with workers that change."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import numpy
import pytest
from PIL import Image

from dotcnn.cli import main
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.runtime.distributed import free_port

from ..small import equal, last
from ..starting import Trainer

SPEC = """network N {{
  input 3x8x8
  conv 4 3x3 same, bn, relu
  dropout 0.2
  flatten
  fc classes
}}
train {{
  data shards "{folder}" val=20% window=16
  epochs 8
  batch 7
  sync_bn on
  deterministic on
  checkpoint every=1 steps
}}
augment {{ flip horizontal, mixup 0.3 }}
"""
COUNT = 46
"""37 images for training: the last batch of an epoch has one, and most processes none."""
KILLS = 50


@pytest.fixture(params=["raw", "jpeg"])
def pack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images as numbers that are mapped into memory, or as files in tars."""
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for number in range(COUNT):
        folder = tmp_path / "set" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = numpy.full((8, 8, 3), 5 * number, numpy.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    (tmp_path / "net.cnn").write_text(
        'network N { input 3x8x8, flatten, fc classes }\ntrain { data folder "set" }\n'
    )
    command = ["pack", "net.cnn", "-o", "pack", "--as", request.param, "--shard-size", "4KB"]
    assert main(command) == 0
    return tmp_path / "pack"


Seen = dict[tuple[int, int], list[int]]
"""The images of all processes, by epoch and the number of images that are done after them."""


def seen(file: Path, run: int) -> Seen:
    """The batches of which every process had its share before one was killed."""
    shares: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(dict)
    worlds = set()
    for line in file.read_text().splitlines() if file.exists() else ():
        epoch, done, rank, world, own = json.loads(line)
        shares[epoch, done][rank] = own
        worlds.add(world)
    assert len(worlds) <= 1, run
    return {
        at: [image for rank in sorted(own) for image in own[rank]]
        for at, own in shares.items()
        if len(own) == max(worlds)
    }


@pytest.mark.slow
@pytest.mark.parametrize("worlds", [1, 4])
def test_images_come_as_if_nothing_had_happened(
    trainer: Trainer, tmp_path: Path, pack: Path, worlds: int
) -> None:
    """In the same order, each once, whatever the number of processes and of their workers; of one
    process, weights are bit-identical, too."""
    draw = random.Random(22 + worlds)
    spec = SPEC.format(folder=pack)
    job = {"again": True, "on_disk": True}
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert trainer(spec, whole, seen=str(tmp_path / "seen"), **job) == 0
    expected = seen(tmp_path / "seen", 0)
    kills, runs, came = 0, 0, Seen()
    while kills < KILLS:
        runs += 1
        world, file = draw.randint(1, worlds), tmp_path / f"seen{runs}"
        code = trainer(
            spec, run, set={"train.workers": draw.randint(0, 2)}, world=world, port=free_port(),
            seen=str(file), dies=draw.randrange(world), die_after=draw.uniform(0, 1), **job,
        )  # fmt: skip
        some = seen(file, runs)
        assert some == {at: expected[at] for at in some}
        if some:  # nothing was left out between what came before and this
            assert min(some) in came or min(some) == first_after(came, expected)
        came |= some
        kills += code != 0
        if code == 0:
            assert came == expected
            ends_alike(run, whole, weights=worlds == 1)
            run, came = tmp_path / f"run{runs}", Seen()
    assert trainer(spec, run, seen=str(tmp_path / "rest"), **job) == 0
    came |= seen(tmp_path / "rest", runs)
    assert came == expected
    ends_alike(run, whole, weights=worlds == 1)


def first_after(came: Seen, expected: Seen) -> tuple[int, int]:
    return min(at for at in expected if at not in came)


def ends_alike(run: Path, whole: Path, *, weights: bool) -> None:
    one, two = (read_checkpoint(each / "last.ckpt")["position"] for each in (run, whole))
    assert [one[name] for name in ("epoch", "steps")] == [two[name] for name in ("epoch", "steps")]
    assert (run / "metrics.jsonl").read_text().count("\n") == 9
    if weights:
        assert equal(last(run), last(whole))
