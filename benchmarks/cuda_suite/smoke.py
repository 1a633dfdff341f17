"""`smoke`: the commands as people use them: train digits, kill it, resume, evaluate, predict."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .check import Check, Facts, Setting, Skipped, require
from .run import run_program, stopped_after_checkpoint

_GOOD = 0.9
"""The accuracy that digits reach after a few epochs."""


def checks(setting: Setting) -> Iterator[Check]:
    run = setting.folder / "trained"
    yield Check("commands", "check, report", partial(_without_torch, setting))
    yield Check("commands", "train", partial(_train, setting, run))
    yield Check("commands", "evaluate", partial(_evaluate, setting, run))
    yield Check("commands", "predict", partial(_predict, setting, run))
    yield Check(
        "commands", "train, stopped by a signal, resumed", partial(_stopped, setting, "TERM")
    )
    yield Check("commands", "train, killed, resumed", partial(_stopped, setting, "KILL"))
    yield Check("commands", "train resnet20", partial(_color, setting))
    yield Check("commands", "export", partial(_export, setting, run))


def command(setting: Setting, *arguments: str, seconds: float = 120) -> str:
    """Runs `cnn …`; returns what it prints."""
    result = run_program([sys.executable, "-m", "dotcnn", *arguments], setting, seconds)
    require(result.code == 0, f"exit code {result.code}: {result.last}")
    require("Traceback" not in result.errors, result.last)
    return result.out


def _without_torch(setting: Setting) -> Facts:
    command(setting, "check", "digits")
    command(setting, "report", "resnet50")
    return {}


def _epochs(setting: Setting) -> list[str]:
    return ["--set", f"train.epochs={6 if setting.small else 15}"]


def _train(setting: Setting, run: Path) -> Facts:
    command(
        setting, "train", "digits", "-o", str(run), "--device", setting.device, *_epochs(setting)
    )
    facts = _facts(run)
    require((run / "report.html").stat().st_size > 10_000, "no report.html", facts)
    require(float(str(facts["top1"])) > _GOOD, "digits are not learned", facts)
    return facts


def _facts(run: Path) -> dict[str, object]:
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    require(record["state"] in ("done", "early stop"), f"the run is {record['state']}")
    result = record["result"]
    return {"top1": result["val"]["top1"], "epochs": result["epochs"], "seconds": result["seconds"]}


def _must_exist(run: Path) -> None:
    if not (run / "best.safetensors").exists():
        raise Skipped("there is no trained run")


def _evaluate(setting: Setting, run: Path) -> Facts:
    _must_exist(run)
    text = command(setting, "evaluate", str(run), "--device", setting.device)
    require("top1" in text or "top-1" in text, "no accuracy is printed")
    return {}


def _predict(setting: Setting, run: Path) -> Facts:
    """Predictions on the device are those on the CPU."""
    _must_exist(run)
    import numpy
    from PIL import Image

    import dotcnn

    random = numpy.random.default_rng(0)
    files = []
    for number in range(8):
        files.append(setting.folder / f"image-{number}.png")
        pixels = random.integers(0, 256, (8, 8), dtype=numpy.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(files[-1])
    command(setting, "predict", str(run), *map(str, files), "--device", setting.device)
    both = [
        [p.guesses[0] for p in dotcnn.predict(run, [str(f) for f in files], device=device)]
        for device in ("cpu", setting.device)
    ]
    names = [[guess.name for guess in guesses] for guesses in both]
    off = max(abs(a.probability - b.probability) for a, b in zip(*both, strict=True))
    facts = {"difference of probabilities": off}
    require(names[0] == names[1] and off < 2e-2, "predictions differ from those on the CPU", facts)
    return facts


def _stopped(setting: Setting, name: str) -> Facts:
    """The run is stopped after its first epoch at the earliest, and then continued to its end."""
    run = setting.folder / f"stopped-by-{name}"
    epochs = "12" if setting.small else "60"
    arguments = [sys.executable, "-m", "dotcnn", "train", "digits", "-o", str(run), "--device",
                 setting.device, "--set", f"train.epochs={epochs}"]  # fmt: skip
    number = getattr(signal, f"SIG{name}")
    result, _ = stopped_after_checkpoint(arguments, run, setting, number)
    # It may be through before the signal comes.
    expected = (0, 130) if name == "TERM" else (0, -number)
    require(result.code in expected, f"exit code {result.code}: {result.last}")
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    done = max((json.loads(line)["epoch"] for line in lines), default=0)
    command(setting, "train", "--resume", str(run), "--device", setting.device)
    return {"stopped after epochs": done, **_facts(run)}


def _color(setting: Setting) -> Facts:
    """A network for color images, as fast as the device allows: `precision auto`."""
    import numpy

    from .training import images

    pixels, labels = images(64 if setting.small else 2048, (3, 32, 32), 10)
    file = setting.folder / "color.npz"
    numpy.savez(file, images=pixels, labels=labels)
    run = setting.folder / "color"
    command(
        setting, "train", "resnet20", "--data", str(file), "-o", str(run), "--device",
        setting.device, "--set", "train.epochs=1", "--set", "train.batch=32",
    )  # fmt: skip
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    choices = " ".join(map(str, record.get("choices", [])))
    return {**_facts(run), "precision": choices.partition("precision ")[2].partition(":")[0]}


def _export(setting: Setting, run: Path) -> Facts:
    _must_exist(run)
    out = setting.folder / "trained.safetensors"
    command(setting, "export", str(run), "-o", str(out))
    require(os.path.getsize(out) > 1000, "an empty file")
    return {}
