"""`cnn new --data` for series and scans, with masks and without, and for pairs of images."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from dotcnn.cli import main
from dotcnn.dsl.diagnostics import SpecError

from .test_new_data import RANDOM, classes, image, without_comments, written


def numbers(*shape: int) -> numpy.ndarray:
    return RANDOM.normal(size=shape).astype("f4")


def of_classes(*shape: int, classes: int = 2) -> numpy.ndarray:
    return RANDOM.integers(0, classes, shape).astype("u1")


SETS = {
    "series, steps": {"x": (numpy.arange(3000) % 97).reshape(15, 200).astype("i2"),
                      "y": of_classes(15, 200)},
    "series, channels last": {"x_train": numbers(16, 80, 6), "y_train": of_classes(16)},
    "series, numbers": {"x_train": numbers(16, 4, 70), "y_train": numbers(16)},
    "scans": {"x_train": numbers(10, 12, 20, 21), "y_train": of_classes(10),
              "x_test": numbers(4, 12, 20, 21), "y_test": of_classes(4)},
    "scans, voxels": {"x_train": of_classes(8, 1, 10, 18, 22, classes=255),
                      "y_train": of_classes(8, 10, 18, 22)},
    "large scans, voxels": {"x_train": numbers(8, 30, 50, 52),
                            "y_train": of_classes(8, 30, 50, 52, classes=3)},
    "clips": {"x_train": of_classes(6, 3, 8, 16, 16, classes=255), "y_train": of_classes(6)},
    "pairs": {"noisy_train": of_classes(10, 20, 24, 3, classes=255),
              "clean_train": of_classes(10, 20, 24, 3, classes=255)},
    "pairs of usual names": {"x_train": of_classes(10, 20, 24, 3, classes=255),
                             "y_train": of_classes(10, 20, 24, 3, classes=255)},
}  # fmt: skip
WRITTEN = {
    "series, steps": ["input 1x192", "conv classes 1\n", "tiles", "loss cross_entropy dice=1"],
    "series, channels last": ["input 6x80", "fc classes"],
    "series, numbers": ["input 4x70", "fc classes", "loss mse"],
    "scans": ["input 1x12x20x21", "fc classes", "scale 0.9..1.1"],
    "scans, voxels": ["input 1x10x18x22", "conv classes 1\n", "deconv"],
    "large scans, voxels": ["input 1x28x48x48", "tiles"],
    "clips": ["input 3x8x16x16", "fc classes"],
    "pairs": ["input 3x20x24", "residual", "loss l1", "flip horizontal"],
    "pairs of usual names": ["input 3x20x24", "loss l1"],
}


def saved(kind: str, folder: Path, *, npy: bool = False) -> Path:
    if not npy:
        numpy.savez(folder / "set.npz", **SETS[kind])
        return folder / "set.npz"
    (folder / "set").mkdir()
    for name, array in SETS[kind].items():
        numpy.save(folder / "set" / f"{name}.npy", array)
    return folder / "set"


@pytest.mark.parametrize("kind", list(SETS))
def test_arrays(kind: str, tmp_path: Path) -> None:
    """The axes and the labels say what arrays are; folders of arrays are read as archives are."""
    text = written(saved(kind, tmp_path), tmp_path)
    for line in WRITTEN[kind]:
        assert line in without_comments(text), line
    assert "#" in text
    if not kind.startswith("pairs"):
        again = written(saved(kind, tmp_path, npy=True), tmp_path)
        assert [line for line in WRITTEN[kind] if line not in without_comments(again)] == []


def test_folders_of_numbers(tmp_path: Path) -> None:
    """Class folders of arrays and of tables of numbers are series, or scans."""
    for number in range(12):
        name = ("a", "b")[number % 2]
        for kind in ("scans", "tables"):
            (tmp_path / kind / name).mkdir(parents=True, exist_ok=True)
        numpy.save(tmp_path / "scans" / name / f"{number}.npy", numbers(8, 16, 16 + number))
        values = numbers(40 + number, 2)
        numpy.savetxt(tmp_path / "tables" / name / f"{number}.csv", values, delimiter=",")
    text = written(tmp_path / "scans", tmp_path)
    assert "input 1x8x16x22" in text
    assert "pad" in without_comments(text)
    text = written(tmp_path / "tables", tmp_path)
    assert "input 2x46" in text


def test_folders_of_pairs(tmp_path: Path) -> None:
    classes(tmp_path / "same", ("noisy", "clean"), height=60, width=80)
    text = without_comments(written(tmp_path / "same", tmp_path))
    assert "input 3x48x48" in text
    assert "residual" in text
    assert "crop\n" in text
    for part in ("train", "val"):
        for number in range(6):
            image(tmp_path / "larger" / part / "low" / f"{number}.png", 20, 30)
            image(tmp_path / "larger" / part / "high" / f"{number}.png", 60, 90)
    text = written(tmp_path / "larger", tmp_path)
    assert "input 3x16x16" in text
    assert "pixel_shuffle 3" in text
    assert "3 times as large" in text
    assert "val=" not in text
    for number in range(6):
        image(tmp_path / "beside" / f"{number}.png", 20, 30, "gray")
        image(tmp_path / "beside" / f"{number}_target.png", 20, 30)
    text = without_comments(written(tmp_path / "beside", tmp_path))
    assert "input 1x20x30" in text
    assert "conv 3 3x3 same" in text
    assert "residual" not in text


def test_pairs_of_unlike_sizes_are_refused(tmp_path: Path) -> None:
    for number in range(6):
        image(tmp_path / "set" / "low" / f"{number}.png", 20, 30)
        image(tmp_path / "set" / "high" / f"{number}.png", 30, 45)
    with pytest.raises(SpecError) as error:
        written(tmp_path / "set", tmp_path)
    assert error.value.diagnostics[0].code == "no-recipe"
    assert "30x45 for 20x30 pixels" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SETS, "files"])
def test_it_trains_as_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "files":
        data = classes(tmp_path / "set", ("noisy", "clean"), height=60, width=80)
    else:
        data = saved(kind, tmp_path)
    Path("net.cnn").write_text(written(data, tmp_path), encoding="utf-8")
    assert main(["train", "net.cnn", "--device", "cpu", "--set", "train.epochs=1"]) == 0
