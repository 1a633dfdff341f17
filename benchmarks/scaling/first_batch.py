"""Time to the first batch of a large pack, and of a run that goes on in the middle of an epoch.

The index is made up: 10,000 shards, which are the same tar file of small JPEGs under 10,000 names.
All else is what training does: the plan, opening the pack, the order, reading and decoding a batch.
Each measurement is a process of its own, and begins when torch and the package are imported.

    plan       seconds until the spec is compiled; the number of classes comes from the index
    open       … until the data is open
    batch      … until the first batch is there, from then on
    all        the three together
    middle     `batch`, where a run goes on in the middle of the epoch
    memory     MiB of the process that belong to no file, more than before
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
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from dotcnn.benchmarks.scaling.table import print_machine, print_table, resident
from dotcnn.training.data.packs.columns import FOLDER, FORMAT, STAMP
from dotcnn.training.data.packs.pack_index import IMAGE, INDEX, PackIndex, Shard

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
COLUMNS = ("images", "window", "workers", "plan, s", "open, s", "batch, s", "all, s", "middle, s",
           "memory")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, nargs="*", default=[100_000, 10**6, 10**7])
    parser.add_argument("--windows", nargs="*", default=["full", "65536"])
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.measure:
        folder, window, workers = options.measure
        print(json.dumps(_measured(folder, window, int(workers))))
        return 0
    print_machine("numpy", "torch")
    with tempfile.TemporaryDirectory(prefix="first-batch-") as scratch:
        print_table(COLUMNS, _rows(options, Path(scratch)))
    return 0


def _rows(options: argparse.Namespace, scratch: Path) -> Iterator[list[object]]:
    for count in options.images:
        folder = scratch / str(count)
        _make_up(folder, count, min(options.shards, count // 100))
        for window in options.windows:
            for workers in options.workers:
                rounds = [_process(folder, window, workers) for _ in range(options.rounds)]
                names = ("plan", "open", "batch", "all", "middle")
                median = {name: float(numpy.median([r[name] for r in rounds])) for name in names}
                memory = max(each["memory"] for each in rounds) / 2**20
                yield [f"{count:,}", window, workers, *(f"{median[name]:.2f}" for name in names),
                       f"{memory:.0f}"]  # fmt: skip


def _process(folder: Path, window: str, workers: int) -> dict[str, float]:
    script = Path(__file__).resolve().parent.parent / "scale.py"
    command = [sys.executable, str(script), "first-batch", "--measure", str(folder), window]
    done = subprocess.run([*command, str(workers)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(folder: str, window: str, workers: int) -> dict[str, float]:
    from dotcnn.dsl.source import Source
    from dotcnn.training.data.open import open_data
    from dotcnn.training.request import request

    text = SPEC.format(folder=folder, window=window, workers=workers, batch=BATCH, size=SIZE)
    before, times = resident(), [time.perf_counter()]
    made = request(Source("net.cnn", text), base=Path(folder))
    times.append(time.perf_counter())
    data = open_data(made.plan, made.base, budget=0)  # else a small one would be decoded as a whole
    times.append(time.perf_counter())
    batches = data.training()
    first = next(batches(0))
    times.append(time.perf_counter())
    memory = resident() - before
    assert first.images.shape == (BATCH, 3, SIZE, SIZE)
    batches.close()
    again = data.training()
    began = time.perf_counter()
    next(again(0, len(data.stores["train"]) // 2 // BATCH * BATCH))
    middle = time.perf_counter() - began
    again.close()
    plan, opening, batch = numpy.diff(times).tolist()
    return {"plan": plan, "open": opening, "batch": batch, "all": plan + opening + batch,
            "middle": middle, "memory": memory}  # fmt: skip


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
    text = index.as_json().encode()
    (folder / INDEX).write_bytes(text)
    columns = folder / FOLDER
    columns.mkdir()
    _write_columns(columns, "train", shards, places, crc32)
    _write_columns(columns, "val", 1, places, crc32)
    stamp = {"format": FORMAT, "index": hashlib.sha256(text).hexdigest()}
    (columns / STAMP).write_text(json.dumps(stamp))


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
    ends[:] = (numpy.arange(count) + 1) * 9
    table = array(f"{IMAGE}.places", "i8", 3)
    for shard in range(shards):
        rows = slice(shard * each, (shard + 1) * each)
        table[rows, 0], table[rows, 1:] = shard, places
    array(f"{IMAGE}.crc32", "u4")[:] = numpy.tile(crc32, shards)
    numbers = numpy.arange(count)[:, None] // 10 ** numpy.arange(8, -1, -1) % 10 + ord("0")
    numpy.save(folder / f"{part}.names.npy", numbers.astype("u1").reshape(-1))
