"""A week of faults in ten minutes: training over HTTP while everything goes wrong.

A small network trains on a pack at an address. Its process is killed within steps, while it writes
a checkpoint, validates or starts, and is resumed; its cache is on a disk that is too small; answers
are cut, short, slow, wrong or refused; the source goes away and comes back, at times after the run
has given up; blocks of the cache, and tar files at the source, are damaged. At the end: every image
was trained on exactly once in each epoch, and the weights are those of a run on a disk without
faults. Prints what happened, when it did, and what was said.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from .fault_moments import MOMENTS, Moments
from .fault_server import FaultServer, Request, serving
from .table import print_machine, print_table

SPEC = """network Small {
  input 3x32x32
  repeat 2 { conv 8 3x3 same, bn, relu, pool max 2x2 }
  flatten
  fc classes
}
train {
  data shards "DATA"
  epochs EPOCHS, batch 16, workers WORKERS, seed 5
  checkpoint every=3 steps
}
evaluate { normalize imagenet }
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults go on")
    parser.add_argument("--images", type=int, default=960)
    parser.add_argument("--epochs", type=int, default=0, help="default: 1 for each minute")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the folder")


def run(options: argparse.Namespace) -> int:
    print_machine("torch", "dotcnn")
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        with small_disk(root / "cache") as limited:
            return Faults(root, options, limited).run()
    finally:
        if options.keep:
            print(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)


@contextmanager
def small_disk(folder: Path, size: str = "5m") -> Iterator[bool]:
    """A folder on a disk that is too small for the data, if one may be mounted here."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        limited = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        limited = False
    try:
        yield limited
    finally:
        if limited:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


class Faults:
    def __init__(self, root: Path, options: argparse.Namespace, limited: bool) -> None:
        self.root, self.options, self.limited = root, options, limited
        self.random = random.Random(options.seed)
        self.epochs = options.epochs or max(2, round(options.minutes))
        self.began = time.monotonic()
        self.counts = Counter[tuple[str, str]]()
        """Of each kind of fault, by what the run did when it began."""
        self.ends = Counter[str]()
        self.moments = Moments(root)
        self.away = False
        self.calm = False
        self.pid = 0
        self.images = 0
        """Of the training part."""
        self.trainer: subprocess.Popen[str] | None = None

    def run(self) -> int:
        self._draw()
        local = self._spec("local", str(self.root / "web/pack"))
        self._start(self.root / "usual-cache")
        assert self._train(["train", local, "-o", str(self.root / "runs/local")]) == 0
        self._stop()
        steps = map(json.loads, (self.root / "images.log").read_text().splitlines())
        self.images = len({image for _, _, images in steps for image in images})
        with serving(self.root / "web") as server:
            server.fault = self._fault
            spec = self._spec("remote", f"{server.url}/pack")
            self._pace(0.1)
            self._start(self.root / "cache")
            self._say(
                f"{self.options.images} images, {self.epochs} epochs; the cache has"
                f" {'5 MiB (tmpfs)' if self.limited else '3 MB (DOTCNN_CACHE_SIZE)'}"
            )
            self.began = time.monotonic()
            stop = threading.Event()
            trouble = threading.Thread(target=self._trouble, args=(stop,))
            trouble.start()
            code = self._until_done(spec)
            stop.set()
            trouble.join()
            self._stop()
            return self._judge(server, code)

    # ---- training --------------------------------------------------------------------------

    def _draw(self) -> None:
        """A pack of images that the benchmark draws, written by `cnn pack`."""
        import numpy
        from PIL import Image

        from dotcnn.cli import main

        (self.root / "set").mkdir()
        with tarfile.open(self.root / "set/train-0.tar", "w") as tar:
            for number in range(self.options.images):
                pixels = numpy.random.default_rng(number).integers(0, 200, (64, 64, 3))
                pixels[..., number % 3] += 55
                file = io.BytesIO()
                Image.fromarray(pixels.astype(numpy.uint8)).save(file, "PNG")
                for ending, data in (("png", file.getvalue()), ("cls", b"%d" % (number % 3))):
                    entry = tarfile.TarInfo(f"{number:06}.{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        command = ["pack", f'shards "{self.root / "set"}" val=10%', "--workers", "1"]
        target = str(self.root / "web/pack")
        assert main([*command, "--shard-size", "2MB", "-o", target]) == 0

    def _spec(self, name: str, data: str) -> str:
        path = self.root / f"{name}.cnn"
        text = SPEC.replace("DATA", data).replace("EPOCHS", str(self.epochs))
        path.write_text(text.replace("WORKERS", str(self.options.workers)))
        return str(path)

    def _start(self, cache: Path) -> None:
        environment = {
            **os.environ,
            "DOTCNN_CACHE": str(cache),
            "DOTCNN_CACHE_SIZE": "1GB" if self.limited else "3MB",
            "DOTCNN_PATIENCE": str(PATIENCE),
            "FAULTS_FOLDER": str(self.root),
        }
        self.trainer = subprocess.Popen(
            [sys.executable, "-m", "dotcnn.benchmarks.scaling.fault_trainer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def _stop(self) -> None:
        assert self.trainer is not None
        assert self.trainer.stdin is not None
        self.trainer.stdin.close()
        self.trainer.wait()

    def _train(self, command: list[str]) -> int:
        assert self.trainer is not None
        assert self.trainer.stdin is not None
        assert self.trainer.stdout is not None
        (self.root / "images.log").touch()
        self.trainer.stdin.write(json.dumps(command) + "\n")
        self.trainer.stdin.flush()
        self.pid = int(self.trainer.stdout.readline())
        code = int(self.trainer.stdout.readline())
        self.pid = 0
        self.moments.now("between runs")
        self.moments.writing(False)
        return code

    def _until_done(self, spec: str) -> int:
        """Trains until the run is done, starting it again whatever ends it."""
        output, run = self.root / "output.log", str(self.root / "runs/remote")
        (self.root / "images.log").unlink()
        output.write_text("")
        for _ in range(1000):
            before = output.stat().st_size
            code = self._train(["train", spec, "-o", run, "--resume"])
            said = output.read_text()[before:]
            errors = re.findall(r"error\[([a-z-]+)\]: (.*)", said)
            if code == 0:
                self._say("the run is done")
                return 0
            end = "; ".join(f"{code}: {text}" for code, text in errors) or f"exit code {code}"
            self.ends.update([error for error, _ in errors] or [_WORDS.get(code, str(code))])
            if not errors and code not in _WORDS:
                self._say(f"UNEXPECTED end: {end}\n{said[-2000:]}")
                return code
            self._say(f"ended ({end[:150]}); it is started again")
            while self.away:
                time.sleep(0.1)
        return 1

    # ---- trouble ---------------------------------------------------------------------------

    def _fault(self, request: Request) -> str | None:
        if self.away:
            return self.random.choice(["503", "reset"])
        if self.calm or not request.path.endswith(".tar") or self.random.random() > 0.1:
            return None
        return self.random.choice(["503", "429", "cut", "short", "wrong", "slow", "reset", "whole"])

    def _trouble(self, stop: threading.Event) -> None:
        kills = [partial(self._kill, each) for each in ("step",) * 3 + ("checkpoint",) * 3]
        events: list[Callable[[], None]] = [
            *kills, partial(self._kill, "validation"), partial(self._kill, "start"),
            self._ask_to_end, self._ask_to_end, self._short_outage, self._short_outage,
            self._long_outage, self._damage_cache, self._damage_cache, self._damage_shard,
        ]  # fmt: skip
        until = self.began + 60 * self.options.minutes
        order: list[Callable[[], None]] = []
        while not stop.wait(self.random.uniform(0.5, 4)):
            left = until - time.monotonic()
            if left < 0:
                self.calm = True
                self._pace(0.0)
                self._say("no more faults")
                return
            # As long as there are to be faults; half of the time is lost by them.
            self._pace(min(1.0, max(0.02, left / 2 / max(1, self._steps_left()))))
            if not order:
                order = self.random.sample(events, len(events))
            order.pop()()

    def _pace(self, seconds: float) -> None:
        """How long a step is to take."""
        scratch = self.root / "pace.new"
        scratch.write_text(f"{seconds:.3f}")
        scratch.replace(self.root / "pace")

    def _steps_left(self) -> int:
        """The steps that are left for the run, about."""
        with suppress(OSError, ValueError, IndexError):
            last = (self.root / "images.log").read_text().splitlines()[-1]
            epoch, place, _ = json.loads(last)
            images = round(0.9 * self.options.images)
            return ((self.epochs - epoch) * images - place) // 16
        return self.epochs * self.options.images // 16

    def _note(self, fault: str) -> str:
        moment = self.moments.read()
        self.counts[fault, moment] += 1
        return moment

    def _kill(self, moment: str) -> None:
        """At a moment of this kind, if there is one soon, and anywhere in it."""
        self.moments.wait_for(moment, 60)
        time.sleep(self.random.uniform(0, 0.03 if moment == "checkpoint" else 0.3))
        if self.pid:
            now = self._note("kill -9")
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._say(f"kill -9 ({now})")

    def _ask_to_end(self) -> None:
        """As a scheduler does."""
        self.moments.wait_for("step", 60)
        if self.pid:
            now = self._note("SIGTERM")
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            self._say(f"SIGTERM ({now})")

    def _short_outage(self) -> None:
        self._outage(self.random.uniform(1, PATIENCE / 2))

    def _long_outage(self) -> None:
        self._outage(PATIENCE + self.random.uniform(4, 8))

    def _outage(self, seconds: float) -> None:
        kind = "short" if seconds < PATIENCE else "long"
        now = self._note(f"the source is away, {kind}")
        self._say(
            f"the source goes away for {seconds:.0f} s ({now}); it is waited for {PATIENCE} s"
        )
        self.away = True
        time.sleep(seconds)
        self.away = False

    def _damage_cache(self) -> None:
        files = [*(self.root / "cache/remote").glob("*/*")]
        count = 0
        for file in self.random.sample(files, min(5, len(files))):
            with suppress(OSError), open(file, "r+b") as block:
                block.seek(self.random.randrange(1, 100_000))
                block.write(b"damaged")
                count += 1
        now = self._note("blocks of the cache are damaged")
        self._say(f"{count} blocks of the cache are damaged ({now})")

    def _damage_shard(self) -> None:
        """A tar file at the source has other bytes for a while."""
        shard = self.random.choice(sorted((self.root / "web/pack").glob("train-*.tar")))
        right = shard.read_bytes()
        now = self._note("a tar file is damaged")
        self._say(f"{shard.name} is damaged at the source for 6 s ({now})")
        shard.write_bytes(bytes(each ^ 1 for each in right))
        time.sleep(6)
        shard.write_bytes(right)

    # ---- the end ---------------------------------------------------------------------------

    def _judge(self, server: FaultServer, code: int) -> int:
        import torch

        from dotcnn.training.checkpoint.checkpoint import read_checkpoint

        bad = 0 if code == 0 else 1
        steps: dict[tuple[int, int], list[int]] = {}
        repeated = differing = 0
        for line in (self.root / "images.log").read_text().splitlines():
            with suppress(ValueError):  # cut short by a kill
                epoch, place, images = json.loads(line)
                known = steps.setdefault((epoch, place), images)
                repeated += known is not images
                differing += known != images
        seen = [Counter[int]() for _ in range(self.epochs)]
        for (epoch, _), images in steps.items():
            seen[epoch].update(images)
        count = self.images
        everything = range(count)
        lost = sum(not each[image] for each in seen for image in everything)
        twice = sum(each.total() - len(each) for each in seen)
        names = ("local", "remote")
        one, two = (read_checkpoint(self.root / f"runs/{n}/last.ckpt")["model"] for n in names)
        equal = all(torch.equal(one[name], two[name]) for name in one)
        output = (self.root / "output.log").read_text()
        said = {
            what: len(re.findall(pattern, output))
            for what, pattern in {
                "“trying again”": "trying again for up to",
                "“answers again”": "answers again, after",
                "“keeps nothing more”": "keeps nothing more for now",
                "“wrong bytes of”": "wrong bytes of",
                "“ignores ranges”": "ignores ranges",
                "“all steps until then are saved”": "all steps until then are saved",
                "resumed": r"(?m)^resumed ",
            }.items()
        }
        print()
        print_table(
            ["fault", *MOMENTS],
            [
                (fault, *(self.counts[fault, moment] or "" for moment in MOMENTS))
                for fault in sorted({fault for fault, _ in self.counts})
            ],
        )
        print()
        print_table(["how runs ended before they were done", "times"], sorted(self.ends.items()))
        print()
        print_table(["faults of single requests", "times"], sorted(server.faults.items()))
        print()
        print_table(["what the runs said", "times"], said.items())
        print()
        results = {
            "the run is done": code == 0,
            f"{count} images, {self.epochs} epochs: {lost} lost, {twice} seen twice": not lost
            + twice,
            f"steps that were made again ({repeated}) had the same images": not differing,
            "weights equal those of the run without faults, to the bit": equal,
        }
        print_table(["result", ""], [(name, "yes" if ok else "NO") for name, ok in results.items()])
        print(
            f"{len(server.requests):,} requests, {sum(server.sent.values()) / 1e6:,.0f} MB, in"
            f" {(time.monotonic() - self.began) / 60:.1f} minutes"
        )
        return bad + sum(not ok for ok in results.values())

    def _say(self, line: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", flush=True)


_WORDS = {
    -signal.SIGKILL: "killed",
    130: "interrupted",
    143: "interrupted",
    -signal.SIGTERM: "interrupted",
}
PATIENCE = 6
"""The seconds that a run waits for a source that does not answer."""
