"""Images a second from a folder of JPEGs and from packs of it, beside what others read.

The benchmark draws JPEGs of 500x375 pixels, packs them in each way, and writes the formats of the
others. Every reader gives shuffled batches of 3x224x224 bytes, resized to 256 and cropped, from
the same number of worker processes, in a process of its own; rounds take turns. Printed are the
images a second after the first batch, the time until it comes (the imports of torch not included),
and the memory of all processes without the pages of files.

Others are measured if they are installed; those that are not fit beside this package go elsewhere:

    pip install --no-deps --target FOLDER mosaicml-streaming litdata …
    python benchmarks/scale.py speed --others FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from PIL import Image

from .readers import LIMITS, READERS
from .table import in_units, print_machine, print_table

SIZE = 500, 375
CLASSES = 10
SPEC = """\
network Tiny { input 3x224x224, conv 8 7x7 stride=4, relu, pool avg global, flatten, fc classes }
train { data folder "photos", batch 128, split val=0.1% }
evaluate { resize 256, crop 224, normalize imagenet }
"""
WANTED = {
    "raw of the disk": 0.9, "raw of the copy": 0.9, "fit beside WebDataset": 1.5,
    "fit beside WebDataset, the same tar files": 1.5,
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=10_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--batch", type=int, default=128, metavar="N")
    parser.add_argument("--only", metavar="NAMES", help="readers, like `folder,raw`")
    parser.add_argument("--others", metavar="FOLDER", help="where packages of others are installed")
    parser.add_argument(
        "--folder", metavar="FOLDER", help="where images and packs are kept, to measure again"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.one:
        return _measure_one(options)
    if options.folder is not None:
        folder = Path(options.folder)
        folder.mkdir(parents=True, exist_ok=True)
        return _compared(options, folder)
    with TemporaryDirectory() as scratch:
        return _compared(options, Path(scratch))


def _compared(options: argparse.Namespace, folder: Path) -> int:
    print_machine(
        "torch", "torchvision", "pillow", "webdataset", "datasets", "mosaicml-streaming", "litdata"
    )
    _draw(folder / "photos", options.images)
    (folder / "net.cnn").write_text(SPEC)
    total = sum(file.stat().st_size for file in (folder / "photos").glob("*/*.jpg"))
    size = total // (8 * options.workers)  # others divide tar files among workers
    for kind, times in (("jpeg", 1), ("fit", 1), ("raw", 4)):
        _pack(folder, kind, options.workers, max(10**6, min(64 * 10**6, times * size)))
    names = options.only.split(",") if options.only else [*READERS, *LIMITS]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for _ in range(options.rounds):
        for name in names:
            if name in failed:
                continue
            result = _in_its_process(name, options, folder)
            if isinstance(result, str):
                failed[name] = result
            else:
                found[name].append(result)
    print_table(
        ("reader", "images/s", "lowest to highest", "first batch", "memory", "beside the folder"),
        (_row(name, found, failed) for name in names),
    )
    return _wanted(found)


def _row(
    name: str, found: Mapping[str, list[dict[str, float]]], failed: Mapping[str, str]
) -> tuple[str, ...]:
    title = LIMITS[name][0] if name in LIMITS else READERS[name].title
    if name in failed:
        return title, failed[name], "", "", "", ""
    speeds = [one["speed"] for one in found[name]]
    first = statistics.median(one["first"] for one in found[name])
    memory = statistics.median(one["memory"] for one in found[name])
    more = ("", "") if name in LIMITS else (f"{first:.2f} s", in_units(memory))
    folder = [one["speed"] for one in found.get("folder", [])]
    ratio = f"{statistics.median(speeds) / statistics.median(folder):.2f}" if folder else ""
    return (
        title,
        f"{statistics.median(speeds):,.0f}",
        f"{min(speeds):,.0f} to {max(speeds):,.0f}",
        *more,
        ratio,
    )


def _wanted(found: Mapping[str, list[dict[str, float]]]) -> int:
    def speed(name: str) -> float:
        return statistics.median([one["speed"] for one in found.get(name, [])] or [0.0])

    ratios = {
        "raw of the disk": (speed("raw disk"), speed("disk limit")),
        "raw of the copy": (speed("raw again"), speed("copy limit")),
        "fit beside WebDataset": (speed("fit"), speed("webdataset")),
        "fit beside WebDataset, the same tar files": (speed("fit"), speed("webdataset fit")),
    }
    bad = 0
    for what, (own, other) in ratios.items():
        if own and other:
            bad += own / other < WANTED[what]
            print(f"{what}: {own / other:.2f} (wanted: {WANTED[what]})")
    return bad


# ---- in a process of its own -------------------------------------------------------------------


def _in_its_process(name: str, options: argparse.Namespace, folder: Path) -> dict[str, float] | str:
    command = [
        sys.executable, str(Path(__file__).parent.parent / "scale.py"), "speed", "--one", name,
        "--folder", str(folder), "--workers", str(options.workers), "--batch", str(options.batch),
    ]  # fmt: skip
    environment = dict(os.environ)
    if options.others and name in READERS and READERS[name].other:
        environment["PYTHONPATH"] = options.others
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    lines = done.stderr.strip().splitlines() or ["nothing"]
    if "No module named" in lines[-1]:
        return "not installed"
    print(f"{name}: {lines[-1]}", file=sys.stderr)
    return "failed"


def _measure_one(options: argparse.Namespace) -> int:
    folder = Path(options.folder)
    if options.one in LIMITS:
        _, limit = LIMITS[options.one]
        found = {"speed": limit(folder), "first": 0.0, "memory": 0.0}
    else:
        found = READERS[options.one].measured(folder, options.batch, options.workers)
    print(json.dumps(found))
    return 0


# ---- the data ----------------------------------------------------------------------------------


def _draw(folder: Path, count: int) -> None:
    """JPEGs with large and small structure, about 50 kB each."""
    if folder.exists() and sum(1 for _ in folder.glob("*/*.jpg")) == count:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for each in range(CLASSES):
        (folder / f"class{each}").mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(_draw_one, [(str(folder), n) for n in range(count)], chunksize=64))


def _draw_one(what: tuple[str, int]) -> None:
    folder, number = what
    random = numpy.random.default_rng(number)
    width, height = SIZE
    pixels = numpy.zeros((height, width, 3), numpy.float32)
    for cells, strength in ((5, 110), (40, 40), (200, 18)):
        rough = random.integers(0, 255, (cells, cells, 3), numpy.uint8)
        layer = Image.fromarray(rough).resize(SIZE, Image.Resampling.BICUBIC)
        pixels += numpy.asarray(layer, numpy.float32) * (strength / 255)
    image = Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))
    image.save(Path(folder) / f"class{number % CLASSES}/{number:06d}.jpg", quality=90)


def _pack(folder: Path, kind: str, workers: int, size: int) -> None:
    command = [
        sys.executable, "-m", "dotcnn", "pack", "net.cnn", "-o", f"pack-{kind}", "--as", kind,
        "--shard-size", str(size), "--workers", str(workers),
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
