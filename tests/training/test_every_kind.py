"""What every kind of answer has: a run that was stopped continues to the bit, two processes give
the result of one, features are kept, and `evaluate` measures the best checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest
import torch
from numpy.typing import NDArray

import dotcnn

from .runtime.test_distributed import close, measured, port
from .small import Looker, equal, gone_on, last, trained
from .starting import Trainer

Arrays = dict[str, NDArray[Any]]


class Kind(NamedTuple):
    """A network, what else its spec says, and data for it."""

    network: str
    arrays: Callable[[numpy.random.Generator], Arrays]
    train: str = ""
    sections: str = ""


TRAIN = """
train {{
  data npz "set.npz" val=25%
  epochs 2
  batch 8
  accumulate 2
  optimizer sgd lr=0.02 momentum=0.9
  sync_bn on
  deterministic on
  {more}
}}
"""
COUNT = 60
IMAGE = "input 3x16x16\n conv 6 3x3 stride=2 same, bn, relu"
VECTOR = f"{IMAGE}\n pool avg global, flatten"


def images(random: numpy.random.Generator) -> NDArray[Any]:
    return random.integers(0, 256, (COUNT, 16, 16, 3)).astype(numpy.uint8)


def brightness(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1).mean(1)


def classes(random: numpy.random.Generator) -> Arrays:
    x = images(random)
    return {"x": x, "y": (brightness(x) > numpy.median(brightness(x))).astype(int)}


def tags(random: numpy.random.Generator) -> Arrays:
    x = images(random)
    return {"x": x, "y": (x[:, 0, 0] > 128).astype(numpy.uint8)}


def masks(random: numpy.random.Generator) -> Arrays:
    x = images(random)
    return {"x": x, "y": (x[..., 0] > 128).astype(numpy.uint8) + (x[..., 1] > 200)}


def numbers(random: numpy.random.Generator) -> Arrays:
    x = images(random)
    return {"x": x, "y": brightness(x) * 3 + 1000.5}


def alone(random: numpy.random.Generator) -> Arrays:
    return {"x": images(random)}


def several(random: numpy.random.Generator) -> Arrays:
    x = images(random)
    return {"x": x, "light": brightness(x) + 0.5, "kind": (x[:, 0, 0, 0] > 128).astype(int)}


def mask_and_more(random: numpy.random.Generator) -> Arrays:
    """Of some images the mask is not known, of others the number or the class."""
    x = images(random)
    mask = (x[..., 0] > 128).astype(numpy.uint8) + (x[..., 1] > 200)
    light, kind = brightness(x) + 0.5, (x[:, 0, 0, 0] > 128).astype(float)
    mask[5:12] = 255
    light[10:15], kind[20:23] = numpy.nan, numpy.nan
    return {"x": x, "mask": mask.astype(numpy.uint8), "light": light, "kind": kind}


def series(random: numpy.random.Generator) -> Arrays:
    return {"x": random.normal(size=(COUNT, 2, 32)).astype("f4"), "y": numpy.arange(COUNT) % 3}


def steps(random: numpy.random.Generator) -> Arrays:
    x = random.normal(size=(COUNT, 2, 32)).astype("f4")
    return {"x": x, "y": (x[:, 0] > 0).astype(numpy.uint8)}


def scans(random: numpy.random.Generator) -> Arrays:
    x = random.normal(size=(COUNT, 1, 8, 8, 8)).astype("f4")
    return {"x": x, "y": (x[:, 0] > 0).astype(numpy.uint8)}


KINDS = {
    "class": Kind(
        f"{VECTOR}\n fc classes", classes, sections="augment { flip horizontal, rotate 10 }"
    ),
    "several": Kind(f"{VECTOR}\n fc classes", tags, "loss bce", "augment { rotate 10, mixup 0.4 }"),
    "numbers": Kind(f"{VECTOR}\n fc classes", numbers, "loss mae", "augment { flip horizontal }"),
    "mask": Kind(
        f"{IMAGE}\n upsample 2\n conv classes 1x1",
        masks,
        sections="augment { flip horizontal, rotate 10 }",
    ),
    "image": Kind(
        "input 3x16x16\n conv 6 3x3 same, bn, relu\n conv 3 3x3 same",
        alone,
        "degrade noise 25\n  loss l1",
        "augment { flip horizontal }",
    ),
    "several_answers": Kind(
        f"{VECTOR}\n features: relu\n output light: fc 1\n output kind {{ from features, fc 2 }}",
        several,
        "loss light mae weight=0.5",
        "augment { flip horizontal }",
    ),
    "mask_among_several": Kind(
        f"{IMAGE}\n maps: relu\n output light {{ pool avg global, flatten, fc 1 }}\n"
        " output mask { from maps, upsample 2, conv 3 1x1 }\n"
        " output kind { from maps, pool avg global, flatten, fc 2 }",
        mask_and_more,
        "loss light mae weight=0.5\n  loss mask focal dice=0.5",
        "augment { flip horizontal, rotate 10 }",
    ),
    "series": Kind(
        "input 2x32\n conv 6 5 same, bn, relu\n pool avg global, flatten\n fc classes",
        series,
        sections="augment { shift 10%, noise 0.05 }",
    ),
    "steps": Kind(
        "input 2x32\n conv 6 5 same, bn, relu\n conv classes 1",
        steps,
        sections="augment { shift 10% }",
    ),
    "scan": Kind(
        "input 1x8x8x8\n conv 6 3 same, bn, relu\n conv classes 1",
        scans,
        sections="augment { flip horizontal }",
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    made = KINDS[request.param]
    numpy.savez(tmp_path / "set.npz", **made.arrays(numpy.random.default_rng(0)))
    monkeypatch.chdir(tmp_path)
    return made


def spec(kind: Kind, folder: Path, sections: str | None = None) -> str:
    train = TRAIN.format(more=kind.train).replace("set.npz", str(folder / "set.npz"))
    rest = kind.sections if sections is None else sections
    return f"network Net {{\n {kind.network}\n}}\n{train}{rest}\n"


@pytest.mark.slow
def test_a_stopped_run_continues_to_the_bit(kind: Kind, tmp_path: Path) -> None:
    text = spec(kind, tmp_path)
    trained(tmp_path / "whole", text, quiet=True)
    stopped = trained(tmp_path / "run", text, quiet=True, callback=Looker(stop_after=4))
    assert stopped.interrupted
    gone_on(tmp_path / "run", quiet=True)
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(kind: Kind, tmp_path: Path, trainer: Trainer) -> None:
    text = spec(kind, tmp_path)
    assert trainer(text, tmp_path / "one") == 0
    assert trainer(text, tmp_path / "two", world=2, port=port()) == 0
    close(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
def test_evaluate_measures_what_the_best_epoch_did(kind: Kind, tmp_path: Path) -> None:
    trained(tmp_path / "run", spec(kind, tmp_path), quiet=True)
    outcome = dotcnn.evaluate(tmp_path / "run", device="cpu")
    best = [line for line in measured(tmp_path / "run") if line["best"]][-1]
    assert outcome.metrics["loss"] == pytest.approx(best["val"]["loss"], rel=1e-5)


@pytest.mark.slow
def test_kept_features_change_nothing(kind: Kind, tmp_path: Path) -> None:
    """Neither masks nor images to answer are lost, which are moved along with the images. Each
    epoch has its own version of an image, with as many as there are epochs."""
    trained(tmp_path / "first", spec(kind, tmp_path, ""), quiet=True)
    begin = f'transfer {{ from "{tmp_path / "first"}", freeze until bn'
    mixes = "mixup" in kind.sections
    changes = "" if mixes else kind.sections
    cache = "cache features" + (" passes=2" if changes or "degrade" in kind.train else "")
    trained(tmp_path / "plain", spec(kind, tmp_path, f"{begin} }}\n{changes}"), quiet=True)
    trained(tmp_path / "kept", spec(kind, tmp_path, f"{begin}, {cache} }}\n{changes}"), quiet=True)
    one, two = last(tmp_path / "plain"), last(tmp_path / "kept")
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=1e-5, rtol=1e-4)
