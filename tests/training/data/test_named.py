"""Data sets by name, through torchvision: read from disk, or an error with the files to get."""

from __future__ import annotations

import pickle
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest

from dotcnn.compiler.plan.data import Named
from dotcnn.compiler.plan.directive import REGISTRY
from dotcnn.training.data.sources import named
from dotcnn.training.runtime.import_torchvision import torchvision

from .sets import fill, opened, picture, refused

NAMES = sorted(
    word.removeprefix("data ")
    for word, kind in REGISTRY["train"].items()
    if issubclass(kind, Named)
)
FETCHED = [name for name in NAMES if name != "imagenet"]


def test_all_are_known_here() -> None:
    assert sorted(named.SETS) == NAMES
    assert {"mnist", "cifar10", "flowers102", "imagenet"} < set(NAMES)


def test_torchvision_knows_them() -> None:
    datasets = torchvision("datasets")
    assert [s.kind for s in named.SETS.values() if not hasattr(datasets, s.kind)] == []


@pytest.mark.parametrize("name", NAMES)
def test_missing_files(tmp_path: Path, name: str) -> None:
    """The message says what has to be put where; nothing is made there."""
    off = "" if name == "imagenet" else " download=off"
    root = tmp_path / "sets"
    wrong = refused(f'{name} root="{root}"{off}', input="3x32x32")
    assert wrong.code == "no-data-files"
    assert wrong.help.startswith(f"put into {root}: {named.SETS[name].files[:5]}")
    assert not root.exists()


@pytest.mark.parametrize("name", ["cifar10", "mnist", "flowers102"])
def test_download_without_a_connection(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a connection."""

    def unreachable(*given: Any, **more: Any) -> None:
        raise OSError("[Errno -2] Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    wrong = refused(f'{name} root="{tmp_path}"', input="3x32x32")
    assert wrong.code == "no-data-files"
    assert "cannot be downloaded" in wrong.message
    assert wrong.notes


def test_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(part: str = "") -> ModuleType:
        raise ImportError("No module named 'torchvision'")

    monkeypatch.setattr(named, "torchvision", absent)
    wrong = refused(f'cifar10 root="{tmp_path}"', input="3x32x32")
    assert (wrong.code, wrong.help) == ("missing-package", 'pip install "dotcnn[torchvision]"')


def test_a_package_that_reads_its_files_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchvision("datasets")
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *given: True)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / name).write_bytes(b"x")
    wrong = refused(f'svhn root="{tmp_path}" download=off', input="3x32x32")
    assert (wrong.code, wrong.help[:17]) == ("missing-package", "pip install scipy")


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Files as those of CIFAR-10, of a few images; their published check sums put aside."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    random = numpy.random.default_rng(0)
    pixels = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        pixels[name] = random.integers(0, 256, (20, 3, 32, 32)).astype(numpy.uint8)
        batch = {"data": pixels[name].reshape(20, -1), "labels": [i % 10 for i in range(20)]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *given: True)
    return pixels


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision("datasets")
    pixels = cifar(tmp_path, monkeypatch)
    found = opened(f'cifar10 root="{tmp_path}" download=off', input="3x32x32")
    assert [p.count for p in found.dataset.parts] == [100, 20]
    assert found.dataset.classes[3] == "cat"
    assert (found.image("train", 20).numpy() == pixels["data_batch_2"][0]).all()
    assert (found.image("val", 7).numpy() == pixels["test_batch"][7]).all()
    assert found.stores["val"].labels.tolist() == [i % 10 for i in range(20)]
    kept = opened(f'cifar10 root="{tmp_path}" download=off val=10%', input="3x32x32")
    assert [(p.name, p.count) for p in kept.dataset.parts] == [
        ("train", 90), ("val", 10), ("test", 20),
    ]  # fmt: skip


def test_damaged_files_of_cifar10(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x" * 1000)
    wrong = refused(f'cifar10 root="{tmp_path}" download=off', input="3x32x32")
    assert wrong.code == "no-data-files"
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz"):
        pass
    assert refused(f'cifar10 root="{tmp_path}" download=off', input="3x32x32").code == wrong.code


def test_pets(tmp_path: Path) -> None:
    """Files of any size, listed by torchvision."""
    base = tmp_path / "oxford-iiit-pet"
    (base / "images").mkdir(parents=True)
    (base / "annotations").mkdir()
    lines = {"trainval": [], "test": []}  # type: dict[str, list[str]]
    for label, kind in enumerate(["Abyssinian", "great_pyrenees"]):
        for place in range(6):
            name = f"{kind}_{place}"
            picture(place + 9 * label, (12, 10)).save(base / "images" / f"{name}.jpg")
            lines["test" if place > 3 else "trainval"].append(f"{name} {label + 1} 1 1")
    for part, texts in lines.items():
        (base / "annotations" / f"{part}.txt").write_text("\n".join(texts) + "\n")
    found = opened(f'pets root="{tmp_path}" download=off', head="2")
    assert found.dataset.classes == ("Abyssinian", "Great Pyrenees")
    assert [(p.name, p.counts) for p in found.dataset.parts] == [("train", (4, 4)), ("val", (2, 2))]
    assert found.name("val", 3) == "images/great_pyrenees_5.jpg"


def test_imagenet_as_two_folders(tmp_path: Path) -> None:
    """The tree that everybody makes of it needs nothing of torchvision's."""
    for part in ("train", "val"):
        fill(tmp_path / part, {"n01440764": 3, "n01443537": 3}, ending="JPEG")
    found = opened(f'imagenet root="{tmp_path}"', head="2")
    assert found.dataset.name == "imagenet"
    assert [p.count for p in found.dataset.parts] == [6, 6]


def test_the_root_must_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "sets").write_text("x")
    wrong = refused('cifar10 root="sets"', tmp_path, input="3x32x32")
    assert wrong.code == "not-a-folder"
