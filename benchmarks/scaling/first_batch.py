"""Time to the first batch of a large pack, and of a run that goes on in the middle of an epoch.

The index is made up: 10,000 shards, which are the same tar file of small JPEGs under 10,000 names.
All else is what training does: the plan, opening the pack, the order, reading and decoding a batch.
Each measurement is a process of its own. Imports are measured, but not counted: times begin when
torch and what opens data are imported.

    val        `own`: the pack has images for validation; `drawn`: they are drawn when it is opened
    imports    seconds until torch, and then dotcnn, are imported; all others do without
    plan       seconds until the spec is compiled; the number of classes comes from the index
    open       … from then on until the data is open
    batch      … from then on until the first batch is there
    first      the three together: **from the spec to the first batch**
    CPU        the same, in seconds of the processor: what a computer without other work takes
    middle     the same, where a run goes on in the middle of the epoch
    new        the same as `first` when a pack is opened for the first time: then the mean of pixels
               is measured, of 4,096 images, and images for validation are drawn; both are kept
    memory     MiB of the process that belong to no file, more than before
    mapped     MiB of mapped files, more than before, which the processes of a computer share
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from dotcnn.benchmarks.scaling.table import print_machine, print_table, resident
from dotcnn.training.data.packs.columns import FOLDER, FORMAT, STAMP
from dotcnn.training.data.packs.pack_index import (
    IMAGE,
    INDEX,
    PackIndex,
    Shard,
    read_index,
)

CLASSES, SIZE, BATCH = 10, 64, 256
SPEC = """network Net {{
  input 3x{size}x{size}
  conv 8 3x3 stride=2 same, bn, relu
  pool avg global
  flatten
  fc classes
}}
train {{
  data shards "{folder}" window={window}
  batch {batch}
  workers {workers}
}}
"""
COLUMNS = ("images", "window", "workers", "val", "imports, s", "plan, s", "open, s", "batch, s",
           "first, s", "CPU, s", "middle, s", "new, s", "memory", "mapped")  # fmt: skip
MEASURE = """
import json, sys, time
times = [time.perf_counter()]
import torch
times.append(time.perf_counter())
import dotcnn.training.data.open, dotcnn.training.request
times.append(time.perf_counter())
from dotcnn.benchmarks.scaling.first_batch import measured
found = measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))
print(json.dumps(found | {"torch": times[1] - times[0], "dotcnn": times[2] - times[1]}))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, nargs="*", default=[100_000, 10**6, 10**7])
    parser.add_argument("--windows", nargs="*", default=["full", "65536"])
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    parser.add_argument("--val", nargs="*", choices=["own", "drawn"], default=["own", "drawn"])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)


def run(options: argparse.Namespace) -> int:
    print_machine("numpy", "torch")
    with tempfile.TemporaryDirectory(prefix="first-batch-") as scratch:
        print_table(COLUMNS, _rows(options, Path(scratch)))
    return 0


def _rows(options: argparse.Namespace, scratch: Path) -> Iterator[list[object]]:
    for count in options.images:
        folders = {"own": scratch / f"{count}", "drawn": scratch / f"{count}-drawn"}
        _make_up(folders["own"], count, min(options.shards, count // 100))
        _without_val(folders["own"], folders["drawn"])
        for val in options.val:
            new = _process(folders[val], scratch, options.windows[0], options.workers[0])["first"]
            for window in options.windows:
                for workers in options.workers:
                    yield [f"{count:,}", window, workers, val, *_figures([
                        _process(folders[val], scratch, window, workers)
                        for _ in range(options.rounds)
                    ], new)]  # fmt: skip
                    new = None


def _figures(rounds: list[dict[str, float]], new: float | None) -> Iterator[str]:
    """The medians of several rounds."""
    median = {name: float(numpy.median([r[name] for r in rounds])) for name in rounds[0]}
    yield f"{median['torch']:.1f} + {median['dotcnn']:.1f}"
    yield from (f"{median[name]:.2f}" for name in ("plan", "open", "batch"))
    yield f"**{median['first']:.2f}**"
    yield f"{median['cpu']:.2f}"
    yield f"**{median['middle']:.2f}**"
    yield "" if new is None else f"{new:.1f}"
    yield from (f"{median[name] / 2**20:.0f}" for name in ("memory", "mapped"))


def _process(folder: Path, scratch: Path, window: str, workers: int) -> dict[str, float]:
    command = [sys.executable, "-c", MEASURE, str(folder), window, str(workers)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DOTCNN_CACHE": str(scratch / "cache")},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(folder: str, window: str, workers: int) -> dict[str, float]:
    """The figures of one process, in seconds and bytes."""
    from dotcnn.dsl.source import Source
    from dotcnn.training.data.open import open_data
    from dotcnn.training.request import request

    text = SPEC.format(folder=folder, window=window, workers=workers, batch=BATCH, size=SIZE)
    before, cpu = (resident(), resident("File")), time.process_time()
    times = [time.perf_counter()]
    made = request(Source("net.cnn", text), base=Path(folder))
    times.append(time.perf_counter())
    data = open_data(made.plan, made.base, budget=0)  # else a small one would be decoded as a whole
    times.append(time.perf_counter())
    batches = data.training()
    going = batches(0)
    images = next(going).images
    times.append(time.perf_counter())
    cpu = time.process_time() - cpu
    memory, mapped = resident() - before[0], resident("File") - before[1]
    assert images.shape == (BATCH, 3, SIZE, SIZE)
    going.close()  # type: ignore[attr-defined]
    batches.close()
    again = data.training()
    began = time.perf_counter()
    next(again(0, len(data.stores["train"]) // 2 // BATCH * BATCH))
    middle = time.perf_counter() - began
    again.close()
    plan, opening, batch = numpy.diff(times).tolist()
    first = plan + opening + batch
    return {"cpu": cpu, "plan": plan, "open": opening, "batch": batch, "first": first,
            "middle": plan + opening + middle, "memory": memory, "mapped": mapped}  # fmt: skip


# ---- the pack ----------------------------------------------------------------------------------


def _make_up(folder: Path, count: int, shards: int) -> None:
    """A pack of `count` images whose shards are the same file."""
    folder.mkdir()
    each = count // shards
    places, crc32 = _write_tar(folder / "train-00000.tar", each)
    size = (folder / "train-00000.tar").stat().st_size
    names = [f"train-{number:05}" for number in range(shards)]
    for name in names[1:]:
        os.link(folder / "train-00000.tar", folder / f"{name}.tar")
    os.link(folder / "train-00000.tar", folder / "val-00000.tar")
    parts = {
        "train": tuple(Shard(name, each, size, "0" * 64, "0" * 64) for name in names),
        "val": (Shard("val-00000", each, size, "0" * 64, "0" * 64),),
    }
    classes = tuple(f"class {number}" for number in range(CLASSES))
    index = PackIndex("jpeg", "classification", classes, parts, origin="made up")
    columns = folder / FOLDER
    columns.mkdir()
    _write_index(folder, index)
    _write_columns(columns, "train", shards, places, crc32)
    _write_columns(columns, "val", 1, places, crc32)


def _write_index(folder: Path, index: PackIndex) -> None:
    text = index.as_json().encode()
    (folder / INDEX).write_bytes(text)
    stamp = {"format": FORMAT, "index": hashlib.sha256(text).hexdigest()}
    (folder / FOLDER / STAMP).write_text(json.dumps(stamp))


def _without_val(pack: Path, folder: Path) -> None:
    """The same pack without images for validation."""
    (folder / FOLDER).mkdir(parents=True)
    for file in [*pack.glob("train-*.tar"), *(pack / FOLDER).glob("train.*")]:
        os.link(file, folder / file.relative_to(pack))
    index = read_index((pack / INDEX).read_bytes())
    _write_index(folder, replace(index, parts={"train": index.parts["train"]}))


def _write_tar(path: Path, count: int) -> tuple[Any, Any]:
    """A tar file of JPEGs; offsets and sizes, and checksums."""
    generator = numpy.random.default_rng(0)
    places, crc32 = [], []
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(count):
            small = generator.integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
            file = io.BytesIO()
            Image.fromarray(small).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(file, "JPEG")
            entry = tarfile.TarInfo(f"{number:09}.jpg")
            entry.size = len(file.getvalue())
            places.append((tar.offset + 512, entry.size))
            crc32.append(zlib.crc32(file.getvalue()))
            file.seek(0)
            tar.addfile(entry, file)
    return numpy.array(places), numpy.array(crc32, "u4")


def _write_columns(folder: Path, part: str, shards: int, places: Any, crc32: Any) -> None:
    each = len(places)
    count = shards * each

    def array(name: str, dtype: str, *columns: int) -> Any:
        path, shape = folder / f"{part}.{name}.npy", (count, *columns)
        return numpy.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)

    labels, pixels, ends = array("labels", "i8"), array("pixels", "i4", 2), array("name_ends", "i8")
    labels[:] = numpy.arange(count) % CLASSES
    pixels[:] = SIZE
    numpy.save(folder / f"{part}.sizes.npy", numpy.full((1, 2), SIZE, "i4"))
    ends[:] = (numpy.arange(count) + 1) * 9
    table = array(f"{IMAGE}.places", "i8", 3)
    for shard in range(shards):
        rows = slice(shard * each, (shard + 1) * each)
        table[rows, 0], table[rows, 1:] = shard, places
    array(f"{IMAGE}.crc32", "u4")[:] = numpy.tile(crc32, shards)
    numbers = numpy.arange(count)[:, None] // 10 ** numpy.arange(8, -1, -1) % 10 + ord("0")
    numpy.save(folder / f"{part}.names.npy", numbers.astype("u1").reshape(-1))
