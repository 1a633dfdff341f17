"""Speed of training compared with a plain training loop, and the accuracies of some specs.

    python benchmarks/training.py steps [--rounds 15]     a step, compared with a plain loop
    python benchmarks/training.py precision [--rounds 5]  `precision auto`, compared with float32
    python benchmarks/training.py digits [--seeds 5]      `cnn train digits`, as a whole process
    python benchmarks/training.py fashion --data FOLDER   `cnn train fashion`, with idx files there

Process time is measured, so that other programs matter less. The plain loop uses the same module
and the same images in memory: shuffled indices, the images of a batch as float32, loss, gradients,
a step of the same optimizer. Both train epochs in turn; printed is the median of the ratios of
successive epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from torch import nn

import dotcnn
from dotcnn.compiler.language.overrides import read_override
from dotcnn.dsl.gallery import open_spec
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.run_folder import RunFolder
from dotcnn.training.checkpoint.writer import CheckpointWriter
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.inference.load import live
from dotcnn.training.metrics.running_metrics import RunningMetrics
from dotcnn.training.optim.choose_precision import choose
from dotcnn.training.optim.precision import FULL
from dotcnn.training.request import Request, request
from dotcnn.training.runtime.interrupts import Interruption
from dotcnn.training.runtime.process_group import ALONE
from dotcnn.training.trainer.callbacks import Callback
from dotcnn.training.trainer.job import Job
from dotcnn.training.trainer.loop import Loop
from dotcnn.training.trainer.setup import Run
from dotcnn.training.trainer.state import criterion_of, make_learner

CPU = torch.device("cpu")


# ---- a step --------------------------------------------------------------------------------------


def steps(rounds: int) -> None:
    print(f"{'network':18}{'images':>8}{'batch':>7}{'plain ms':>9}{'cnn ms':>9}{'ratio':>8}  of")
    with tempfile.TemporaryDirectory() as scratch:
        for name, images, batch in (
            ("digits", 0, 64),
            ("lenet5", 1024, 64),
            ("resnet8", 192, 32),
            ("resnet20", 128, 32),
        ):
            wanted, opened = _opened(name, images, batch, Path(scratch))
            ours = _ours(wanted, opened, Path(scratch))
            bare = _bare(wanted, opened, batch)
            count = -(-len(opened.stores["train"]) // batch)
            times, ratios = _in_turn(bare, ours, rounds)
            print(
                f"{name:18}{len(opened.stores['train']):>8}{batch:>7}"
                f"{1000 * times[0] / count:>9.2f}{1000 * times[1] / count:>9.2f}"
                f"{statistics.median(ratios):>8.3f}  {min(ratios):.3f} to {max(ratios):.3f}"
            )


def _opened(name: str, images: int, batch: int, scratch: Path) -> tuple[Request, Opened]:
    """A spec of the gallery with its data, or with `images` random images."""
    data = None
    if images:
        shape = dotcnn.compile(name).input.shape
        random = numpy.random.default_rng(0)
        labels = numpy.arange(images + 64) % 10
        pixels = random.integers(0, 256, (images + 64, *shape), dtype=numpy.uint8)
        file = scratch / f"{name}.npz"
        numpy.savez(
            file,
            x_train=pixels[64:], y_train=labels[64:], x_test=pixels[:64], y_test=labels[:64],
        )  # fmt: skip
        data = str(file)
    changes = [read_override(f"train.batch={batch}"), read_override("train.epochs=1000")]
    wanted = request(open_spec(name), set=changes, data=data)
    return wanted, open_data(wanted.plan, wanted.base)


def _ours(wanted: Request, opened: Opened, scratch: Path) -> Callable[[], None]:
    batches = opened.training()
    module = live(wanted.network, dotcnn.__version__)
    criterion = criterion_of(wanted.network, wanted.plan, opened)
    learner = make_learner(
        wanted.network,
        module,
        wanted.plan,
        criterion=criterion,
        precision=FULL,
        device=CPU,
        steps_per_epoch=len(batches),
    )
    metrics = RunningMetrics(CPU, opened.task)
    job = Job(
        request=wanted,
        data=opened,
        device=CPU,
        version=dotcnn.__version__,
        callback=Callback(),
        processes=ALONE,
    )
    writer = CheckpointWriter(
        folder=RunFolder(scratch),
        fixed={},
        metadata={},
        when=job.plan.train.checkpoint,
        metrics=metrics,
        callback=job.callback,
        processes=ALONE,
        device=CPU,
    )
    run = Run(job=job, learner=learner, data=opened, batches=batches, writer=writer, record={})
    loop = Loop(run, Interruption())

    def epoch() -> None:
        loop.train_epoch()
        metrics.metrics()
        metrics.reset()

    return epoch


def _bare(wanted: Request, opened: Opened, batch: int) -> Callable[[], None]:
    module = live(wanted.network, dotcnn.__version__)
    store, prepare = opened.stores["train"], opened.preparation.prepare
    images, labels = store.images, store.labels  # type: ignore[union-attr]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)

    def epoch() -> None:
        module.train()
        total = 0.0
        for chosen in torch.randperm(len(images)).split(batch):
            loss = F.cross_entropy(module(prepare(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()

    return epoch


def _in_turn(
    bare: Callable[[], None], ours: Callable[[], None], rounds: int
) -> tuple[tuple[float, float], list[float]]:
    """The median seconds of both loops, and the ratios; they take turns to go first."""
    bare()
    ours()
    seconds: tuple[list[float], list[float]] = [], []
    for number in range(rounds):
        pair = [(0, bare), (1, ours)]
        for which, work in pair if number % 2 else reversed(pair):
            began = time.process_time()
            work()
            seconds[which].append(time.process_time() - began)
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    return (statistics.median(seconds[0]), statistics.median(seconds[1])), ratios


# ---- precision -----------------------------------------------------------------------------------


def precision(rounds: int) -> None:
    """ResNet-18 at 224 pixels: the choice of `auto` compared with plain float32."""
    source = Source("resnet18", open_spec("resnet18").text, open_spec("resnet18").path)
    wanted = request(source, data="cifar10", set=[read_override("train.batch=16")])
    module = live(wanted.network, dotcnn.__version__)
    chosen = choose(wanted.network, wanted.plan.train, module, CPU, batch=16, images=100_000)
    print("\n".join(chosen.lines))
    images = torch.randn(16, 3, 224, 224)
    labels = torch.arange(16) % 10

    def step(precision: object, made: nn.Module) -> Callable[[], None]:
        optimizer = torch.optim.SGD(made.parameters(), lr=1e-3, momentum=0.9, fused=True)

        def work() -> None:
            cast = precision.autocast(CPU)  # type: ignore[attr-defined]
            laid = precision.laid_out(images)  # type: ignore[attr-defined]
            if cast is None:
                logits = made(laid)
            else:
                with cast:
                    logits = made(laid)
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return work

    other = live(wanted.network, dotcnn.__version__)
    chosen.precision.lay_out(other)
    times, ratios = _in_turn(step(FULL, module), step(chosen.precision, other), rounds)
    print(f"float32 {1000 * times[0]:.0f} ms, auto {1000 * times[1]:.0f} ms a step of 16 images")
    print(f"ratio {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


# ---- whole runs ------------------------------------------------------------------------------


def whole(spec: str, seeds: int, data: str | None = None) -> None:
    """Whole runs, each in a process of its own."""
    given = ["--data", data] if data else []
    print(f"{'seed':>4}{'last %':>9}{'best %':>9}{'epochs s':>10}{'process s':>11}{'cpu s':>8}")
    lasts, bests = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run"
            began, before = time.perf_counter(), os.times()
            subprocess.run(
                [sys.executable, "-m", "dotcnn", "train", spec, "-o", str(folder),
                 "--set", f"train.seed={seed}", *given],
                check=True, capture_output=True, cwd=scratch,
            )  # fmt: skip
            seconds, after = time.perf_counter() - began, os.times()
            lines = (folder / "metrics.jsonl").read_text().splitlines()
            result = json.loads((folder / "record.json").read_text())["result"]
        lasts.append(json.loads(lines[-1])["val"]["top1"])
        bests.append(result["val"]["top1"])
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        print(
            f"{seed:>4}{100 * lasts[-1]:>9.2f}{100 * bests[-1]:>9.2f}"
            f"{result['seconds']:>10.1f}{seconds:>11.1f}{cpu:>8.1f}"
        )
    mean, best = statistics.mean(lasts), statistics.mean(bests)
    print(f"mean of the last epochs {100 * mean:.2f} %, of the best ones {100 * best:.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["steps", "precision", "digits", "fashion"])
    parser.add_argument("--data", help="a folder with the files of Fashion-MNIST")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()},"
        f" Python {platform.python_version()}"
    )
    for what in [options.what] if options.what else ["steps", "precision", "digits"]:
        print(f"\n-- {what}")
        if what == "digits":
            whole("digits", options.seeds)
        elif what == "fashion":
            whole("fashion", options.seeds, data=str(Path(options.data or "data").resolve()))
        elif what == "precision":
            precision(min(options.rounds, 5))
        else:
            steps(options.rounds)


if __name__ == "__main__":
    main()
