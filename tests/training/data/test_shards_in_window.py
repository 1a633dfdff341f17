"""Runs on shards that are shuffled within a window: they go on with other workers, after kills, and
in other worlds; processes of a machine share the work."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import SpecError
from dotcnn.cli import main
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.data.images import image_store
from dotcnn.training.data.loader.order import Sharing
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request
from dotcnn.training.runtime.distributed import free_port

from ..small import Looker, equal, last
from ..starting import Trainer

COUNT = 43
SHARDS = (17, 1, 0, 25)
"""They differ in size, and one has no sample."""
SPEC = """network N {{
  input 3x8x8
  conv 4 3x3 same, bn, relu
  dropout 0.2
  flatten
  fc 2
}}
train {{
  data shards "{folder}" val=20% window=16
  epochs {epochs}
  batch 5
  workers {workers}
  deterministic on
}}
augment {{ crop, flip horizontal, mixup 0.3 }}
"""


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(numpy.full((9, 9, 3), value, numpy.uint8)).save(file, "PNG")
    return file.getvalue()


def write_shards(folder: Path, sizes: tuple[int, ...] = SHARDS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    for number, size in enumerate(sizes):
        with tarfile.open(folder / f"train-{number:04}.tar", "w") as tar:
            for sample in range(start, start + size):
                label = str(sample % 2).encode()
                for ending, content in (("png", png(5 * sample)), ("cls", label)):
                    entry = tarfile.TarInfo(f"{sample:04}.{ending}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
        start += size
    return folder


def spec_of(folder: Path, workers: int = 0, epochs: int = 2) -> str:
    return SPEC.format(folder=folder, workers=workers, epochs=epochs)


def opened(text: str, root: Path) -> Opened:
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base, budget=0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "place", lambda *_: "files")


# ---- what comes --------------------------------------------------------------------------------


def test_the_plan_says_how_images_are_shuffled(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "set")
    data = opened(spec_of(folder), tmp_path)
    assert data.dataset.window is not None
    assert data.dataset.window.images == 16
    lines = "\n".join(data.dataset.lines())
    assert "images are shuffled within a window of 16, from 16 places of the files" in lines
    for window in ("auto", "full", "1000"):  # local, and not many: all of them
        data = opened(spec_of(folder).replace("window=16", f"window={window}"), tmp_path)
        assert data.dataset.window is None
    with pytest.raises(SpecError, match="a number of images, `full` or `auto`"):
        opened(spec_of(folder).replace("window=16", "window=some"), tmp_path)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_at_every_batch_with_other_workers_and_processes(tmp_path: Path, workers: int) -> None:
    """The images that are left, pixel for pixel, in the same batches; within a process in the same
    order."""
    folder = write_shards(tmp_path / "set")
    data = opened(spec_of(folder), tmp_path)
    batches = data.training()
    whole, positions = [], [0]
    for batch in batches(1):
        whole.append(batch)
        positions.append(batches.state.position)
    seen = torch.cat([batch.indices for batch in whole]).tolist()
    guests = batches.guests
    assert guests == 0
    assert sorted(seen) == list(range(len(data.stores["train"])))
    other = opened(spec_of(folder, workers), tmp_path)
    for done, position in enumerate(positions):
        going = other.training()
        for batch, expected in zip(going(1, position), whole[done:], strict=True):
            assert torch.equal(batch.indices, expected.indices)
            assert torch.equal(batch.images, expected.images)
            assert torch.equal(batch.labels, expected.labels)
        going.close()
    for rank in range(3 if workers == 0 else 1):
        position = positions[2]
        shares = replace(data, machine=Sharing(rank, 3)).training(sharing=Sharing(rank, 3))
        for batch, expected in zip(shares(1, position), whole[2:], strict=True):
            own = torch.tensor_split(expected.indices, 3)[rank]
            assert torch.equal(batch.indices, own)


@pytest.mark.parametrize(
    ("sizes", "batch", "code"),
    [((1,), 1, ""), ((0, 3, 0), 1, ""), ((2, 0), 4, "drop"), ((5,), 3, "world")],
)
def test_few_images(tmp_path: Path, sizes: tuple[int, ...], batch: int, code: str) -> None:
    """One image, shards without any, fewer than a batch: they come, or an error says why not. Of
    a batch with fewer than processes, one process computes with an image of the others."""
    folder = write_shards(tmp_path / "set", sizes)
    write_shards(tmp_path / "val", (1,))
    text = spec_of(folder).replace("val=20% window=16", f'val="{tmp_path}/val" window=2')
    text = text.replace("batch 5", f"batch {batch}{' drop_last' * (code == 'drop')}")
    data = opened(text, tmp_path)
    if code == "drop":
        with pytest.raises(SpecError, match="fewer than a batch of 4"):
            data.training()
        return
    if code == "world":
        with pytest.raises(SpecError, match="3 images cannot be divided among 4 processes"):
            data.training(sharing=Sharing(2, 4))
        mine = data.training(sharing=Sharing(2, 3))
        assert [(mine.own, len(each.indices), mine.together) for each in mine(0)] == [
            (1, 1, 3), (0, 1, 2),
        ]  # fmt: skip
        return
    seen = [index for each in data.training()(0) for index in each.indices.tolist()]
    assert sorted(seen) == list(range(sum(sizes)))


# ---- runs --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("no_report", "on_disk")
def test_stopped_at_every_step_and_resumed_with_other_workers(tmp_path: Path) -> None:
    """The weights are bit-identical."""
    folder = write_shards(tmp_path / "set")
    whole = dotcnn.train(spec_of(folder), output=tmp_path / "whole", device="cpu")
    steps = read_checkpoint(tmp_path / "whole" / "last.ckpt")["position"]["steps"]
    assert whole.reason == "done"
    assert steps == 14
    for step in range(1, steps):
        run = tmp_path / f"run{step}"
        stopped = dotcnn.train(
            spec_of(folder, workers=step % 3), output=run, device="cpu",
            callback=Looker(stop_after=step),
        )  # fmt: skip
        assert stopped.interrupted
        dotcnn.train(resume=run, device="cpu", set={"train.workers": (step + 1) % 3})
        assert equal(last(run), last(tmp_path / "whole")), step


@pytest.mark.slow
@pytest.mark.usefixtures("no_report", "on_disk")
def test_a_run_keeps_its_order(tmp_path: Path) -> None:
    """Though another is asked for, or would be the default where the files are now."""
    folder = write_shards(tmp_path / "set")
    whole = dotcnn.train(spec_of(folder), output=tmp_path / "whole", device="cpu")
    dotcnn.train(spec_of(folder), output=tmp_path / "run", device="cpu", callback=Looker(3))
    looker = Looker()
    other = spec_of(folder).replace("window=16", "window=full")
    dotcnn.train(other, resume=tmp_path / "run", device="cpu", callback=looker)
    assert any("shuffled within a window of 16" in note for note in looker.notes)
    assert equal(last(tmp_path / "run"), last(whole.folder))


KILLS = 50


@pytest.mark.slow
def test_killed_fifty_times(trainer: Trainer, tmp_path: Path) -> None:
    """At random moments, each time going on with other workers: weights, metrics and the state of
    the optimizer are those of a run that nothing happened to."""
    folder, draw = write_shards(tmp_path / "set"), random.Random(22)
    often: dict[str, Any] = {"again": True, "on_disk": True}
    options = {"train.checkpoint": "every=1 steps", "train.epochs": 12}
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert trainer(spec_of(folder), whole, set=options, **often) == 0
    kills = 0
    while kills < KILLS:
        workers = {"train.workers": draw.randint(0, 2)}
        code = trainer(
            spec_of(folder), run, set=options | workers, die_after=draw.uniform(0.1, 1.5), **often
        )
        kills += code == -9
        if code == 0:  # the run had come to its end before: the next one
            assert equal(last(run), last(whole))
            run = tmp_path / f"run{kills}"
    assert trainer(spec_of(folder), run, set=options, **often) == 0
    assert equal(last(run), last(whole))
    one, two = (read_checkpoint(each / "last.ckpt") for each in (run, whole))
    assert one["position"]["position"] == two["position"]["position"]
    assert (run / "metrics.jsonl").read_text().count("\n") == 13


LOOKED_AT = 9
"""The images that each process looks at beforehand, for how many bits they have."""


def reads(file: Path) -> Iterator[tuple[int, str]]:
    """The rank and the member of each reading."""
    for line in file.read_text().splitlines():
        rank, member = line.split(" ", 1)
        yield int(rank), member


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 8])
def test_processes_of_a_machine_decode_each_image_once(
    trainer: Trainer, tmp_path: Path, world: int
) -> None:
    folder = write_shards(tmp_path / "set")
    spec = spec_of(folder).replace("augment { crop, flip horizontal, mixup 0.3 }", "")
    spec = spec.replace("batch 5", "batch 16")
    code = trainer(
        spec, tmp_path / "run", world=world, port=free_port(), reads=str(tmp_path / "reads")
    )
    assert code == 0
    each = [*reads(tmp_path / "reads")]
    times = Counter(member for _, member in each)
    assert len(times) == COUNT
    several = [count for count in times.values() if count > 1]
    assert several == [1 + world] * LOOKED_AT
    assert {rank for rank, _ in each} == {*range(world)}


@pytest.mark.slow
@pytest.mark.parametrize("together", [2, 8])
def test_processes_of_a_machine_check_each_file_once(
    trainer: Trainer, tmp_path: Path, together: int
) -> None:
    """And read each image once in an epoch."""
    folder = write_shards(tmp_path / "set")
    spec = spec_of(folder, epochs=3).replace(", mixup 0.3", "").replace("batch 5", "batch 16")
    counts = []
    for world, epochs in ((1, 1), (together, 1), (together, 3)):
        record = tmp_path / f"reads{world}-{epochs}"
        code = trainer(
            spec, tmp_path / f"run{world}-{epochs}", world=world, port=free_port(), on_disk=True,
            set={"train.epochs": epochs}, reads=str(record),
            environment={"DOTCNN_CACHE": str(tmp_path / f"cache{world}-{epochs}")},
        )  # fmt: skip
        assert code == 0
        counts.append(Counter(member for _, member in reads(record)))
    alone, several, longer = counts
    # Together they read what one would, and each of them looks at some images beforehand.
    assert several.total() <= alone.total() + LOOKED_AT * (together - 1)
    assert {*(longer - several).values()} == {2}  # and each image once more in each epoch


# ---- memory ------------------------------------------------------------------------------------


WORLD, SIDE, IMAGES = 8, 96, 60
LARGE = """network N {{
  input 3x{side}x{side}
  conv 2 3x3 stride=4 same, relu
  flatten
  fc classes
}}
train {{ data shards "{folder}" val=20%, epochs 2, batch 16, workers 0 }}
"""


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as they are, and as numbers."""
    root, draw = tmp_path_factory.mktemp("packs"), numpy.random.default_rng(0)
    for number in range(IMAGES):
        file = root / "images" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (SIDE, SIDE, 3), numpy.uint8)).save(file)
    for kind in ("jpeg", "raw"):
        command = ["pack", str(root / "images"), "-o", str(root / kind), "--as", kind]
        assert main([*command, *(("--resize", str(SIDE)) if kind == "raw" else ())]) == 0
    return root


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only on Linux")
@pytest.mark.parametrize("case", ["raw, on disk", "jpeg, on disk", "jpeg, in memory"])
def test_eight_processes_have_one_map(
    trainer: Trainer, packs: Path, tmp_path: Path, case: str
) -> None:
    """What they map is the same file, of which none has pages of its own; images that are decoded
    into memory are there once."""
    kind, _, where = case.partition(", ")
    maps, read = tmp_path / "maps", tmp_path / "reads"
    read.touch()
    code = trainer(
        LARGE.format(side=SIDE, folder=packs / kind), tmp_path / "run", world=WORLD,
        port=free_port(), on_disk=where == "on disk", maps=str(maps), reads=str(read),
        environment={"DOTCNN_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert code == 0, (tmp_path / "run.error").read_text()
    mapped: dict[str, list[dict[str, Any]]] = {}
    for line in maps.read_text().splitlines():
        one = json.loads(line)
        mapped.setdefault(one["file"], []).append(one)
    columns = [each for file, each in mapped.items() if "/columns/train." in file]
    assert len(columns) >= 4
    images = [each for file, each in mapped.items() if file.endswith(".tar")]
    memory = [each for file, each in mapped.items() if "memfd:dotcnn" in file]
    size = IMAGES * 3 * SIDE * SIDE
    for each in (*columns, *images):
        assert {one["rank"] for one in each} == {*range(WORLD)}
        assert len({one["inode"] for one in each}) == 1
        assert not sum(one["own"] for one in each)
    if kind == "raw":
        assert sum(one["share"] for each in images for one in each) <= 1.1 * size + 2**17
        assert not read.read_text()  # all of it is mapped
    elif where == "on disk":
        assert not images
        times = Counter(member for _, member in reads(read))
        assert len(times) == IMAGES
        # Those for training once in each of the two epochs, and for the mean of pixels; never to
        # check. (Some are looked at by each process beforehand.)
        assert Counter(times.values())[2 + 1] == 48 - 8
        assert max(times.values()) == 2 + 1 + WORLD
    else:
        assert sum(one["share"] for each in memory for one in each) <= 1.1 * size
        assert {one["rank"] for each in memory for one in each} == {*range(WORLD)}
        times = Counter(member for _, member in reads(read))
        assert Counter(times.values()) == {1: IMAGES - 8, 1 + WORLD: 8}
