"""`cnn new --data`: the spec follows from the data, each choice with its reason."""

from __future__ import annotations

import re
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest
from PIL import Image

from dotcnn.cli import main
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.recipe import survey as surveying
from dotcnn.training.recipe.machine import Machine
from dotcnn.training.recipe.write_spec import spec_for

from ..data.test_bands import tiff

MACHINE = Machine("cpu", "2 CPU cores", 8 * 2**30, 72e9, 0.8e-9)
RANDOM = numpy.random.default_rng(0)


def image(path: Path, height: int = 40, width: int = 40, kind: str = "color") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if kind == "color" else (height, width)
    if kind == "deep":
        pixels = RANDOM.integers(0, 65536, shape, dtype=numpy.uint16)
    else:
        pixels = RANDOM.integers(0, 256, shape, dtype=numpy.uint8)
    Image.fromarray(pixels).save(path)


def classes(
    folder: Path, names: Sequence[str] = ("cat", "dog"), count: int = 6, **options: object
) -> Path:
    for name in names:
        for number in range(count):
            image(folder / name / f"{number}.png", **options)  # type: ignore[arg-type]
    return folder


def masks(folder: Path, values: Sequence[int], height: int = 65, width: int = 97) -> Path:
    for number in range(8):
        image(folder / "images" / f"{number}.png", height, width)
        (folder / "masks").mkdir(exist_ok=True)
        mask = RANDOM.choice(numpy.array(values, dtype=numpy.uint8), (height, width))
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


def written(data: Path | str, folder: Path, **options: object) -> str:
    """The spec for a data set, with each comment on one line."""
    text = spec_for(folder / "net.cnn", str(data), MACHINE, **options)  # type: ignore[arg-type]
    return re.sub(r"(# .*)\n *# ", r"\1 ", re.sub(r"(# .*)\n *# ", r"\1 ", text))


def without_comments(text: str) -> str:
    return re.sub(r" *#.*", "", text)


def test_a_folder_of_photographs(tmp_path: Path) -> None:
    """Names with blanks and umlauts, and sizes of all kinds; the same data gives the same spec."""
    photos = tmp_path / "my photos"
    sizes = [(150, 300), (300, 150), (200, 200), (120, 140), (260, 333)]
    for name in ("Käse", "a b"):
        for number, (height, width) in enumerate(sizes):
            image(photos / name / f"ü {number}.png", height, width)
    text = written(photos, tmp_path)
    assert 'data folder "my photos" val=20%' in text
    assert "input 3x128x128" in text
    assert "crop scale=35%..100%" in text
    assert "flip horizontal" in text
    assert "fc classes" in text
    assert "Käse and a b" in text
    assert "--from torchvision:" in text
    assert written(photos, tmp_path) == text


@pytest.mark.parametrize(
    ("names", "kind", "flipped"),
    [
        (("cat", "dog"), "gray", True),
        (("A", "B", "C"), "gray", False),
        (("0", "1"), "gray", False),
        (("0", "1"), "color", True),
        (("left hand", "right_hand"), "color", False),
    ],
)
def test_images_are_mirrored_where_nothing_speaks_against_it(
    names: tuple[str, ...], kind: str, flipped: bool, tmp_path: Path
) -> None:
    text = written(classes(tmp_path / "set", names, height=28, width=28, kind=kind), tmp_path)
    assert ("flip horizontal" in without_comments(text)) == flipped
    assert ("Not mirrored: " in text) != flipped
    assert f"input {1 if kind == 'gray' else 3}x28x28" in text


def test_parts_are_kept(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        classes(tmp_path / "all" / part)
    assert re.search(r'data folder "all"$', written(tmp_path / "all", tmp_path), re.MULTILINE)
    for part in ("train", "test"):
        classes(tmp_path / "tested" / part)
    text = written(tmp_path / "tested", tmp_path)
    assert 'data folder "tested" val=20%' in text
    assert "the test images stay unseen" in text


@pytest.mark.parametrize(("dtype", "said"), [("u2", "16 bits"), ("f4", "units of their own")])
def test_images_of_bands(tmp_path: Path, dtype: str, said: str) -> None:
    for number in range(12):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiff((RANDOM.random((16, 16, 5)) * 3000).astype(dtype)))
    text = written(tmp_path / "set", tmp_path)
    assert "input 5x16x16" in text
    assert "images of 5 bands" in text
    assert said in text
    assert ("color brightness" in text) == (dtype == "u2")


def test_rare_classes_and_bad_files(tmp_path: Path) -> None:
    classes(tmp_path / "set", ("many",), 30, kind="deep")
    classes(tmp_path / "set", ("few",), 6, kind="deep")
    (tmp_path / "set" / "many" / "0.png").write_bytes(b"\x89PNG broken")
    text = written(tmp_path / "set", tmp_path)
    assert "weights balanced" in text
    assert "bad=3%" in text
    assert "many/0.png (" in text
    assert "16 bits" in text


def test_masks(tmp_path: Path) -> None:
    """Sides that the network can halve, the value of pixels without a label, black and white."""
    (tmp_path / "streets").mkdir()
    (tmp_path / "streets" / "classes.txt").write_text("road\ntree\n")
    text = written(masks(tmp_path / "streets", [0, 1, 2]), tmp_path)
    assert 'data folder "streets" val=20% ignore=2' in text
    assert "input 3x64x96" in text
    assert "conv classes 1x1" in text
    assert "loss cross_entropy dice=1" in text
    text = written(masks(tmp_path / "cells", [0, 255], 200, 333), tmp_path)
    assert "background and object" in text
    assert "ignore" not in without_comments(text)


def test_numbers_tags_and_arrays(tmp_path: Path) -> None:
    classes(tmp_path, ("im",), 12, height=30, width=30)
    rows = [f"im/{number}.png,{number * 1.5 + 0.25}" for number in range(12)]
    (tmp_path / "angles.csv").write_text("\n".join(["file,angle", *rows]))
    text = written(tmp_path / "angles.csv", tmp_path)
    assert "loss mse" in text
    assert "# Labels are a number for each of the images: angle." in text
    assert not {"flip", "crop"} & set(without_comments(text).split())
    rows = [f"im/{number}.png,{'sea|sun' if number % 2 else 'sun'}" for number in range(12)]
    (tmp_path / "tags.csv").write_text("\n".join(["file,tags", *rows]))
    assert "fc classes, sigmoid" in written(tmp_path / "tags.csv", tmp_path)
    pixels = RANDOM.random((40, 24, 16, 3), dtype=numpy.float32)
    numpy.savez(tmp_path / "set.npz", x_train=pixels, y_train=numpy.arange(40) % 4)
    assert "input 3x24x16" in written(tmp_path / "set.npz", tmp_path)
    assert "data digits val=20%" in written("digits", tmp_path)


def test_series_and_sound(tmp_path: Path) -> None:
    """Of arrays, the shorter axis is the channels; sound may have any length."""
    values = RANDOM.normal(size=(20, 90, 2)).astype(numpy.float32)
    numpy.savez(tmp_path / "set.npz", x_train=values, y_train=numpy.arange(20) % 2)
    text = written(tmp_path / "set.npz", tmp_path)
    assert "input 2x90" in text
    assert "augment" not in text
    for number in range(12):
        path = tmp_path / "sounds" / ("yes", "no")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(RANDOM.integers(-999, 999, 4000 + number, dtype=numpy.int16).tobytes())
    text = written(tmp_path / "sounds", tmp_path)
    assert "input 1x4006" in text
    assert "evaluate { pad }" in " ".join(without_comments(text).split())


def test_the_network_fits_the_time_and_the_memory(tmp_path: Path) -> None:
    photos = classes(tmp_path / "set", ("a", "b"), 60, height=96, width=96)

    def figures(minutes: float, memory: int = 8 * 2**30) -> tuple[int, int, int]:
        machine = Machine("cpu", "2 CPU cores", memory, 72e9, 0.8e-9)
        text = spec_for(tmp_path / "net.cnn", str(photos), machine, minutes=minutes)
        found = re.search(r"conv (\d+) 7x7[\s\S]*batch (\d+)[\s\S]*epochs (\d+)", text)
        assert found is not None
        width, batch, epochs = map(int, found.groups())
        return width, batch, epochs

    assert figures(60) > figures(0.3)
    assert figures(0.01)[2] < figures(60)[2]
    assert figures(60, memory=12 * 2**20)[1] < figures(60)[1]


def test_another_network_and_weights(tmp_path: Path) -> None:
    """The head and the input become those of the data."""
    from dotcnn.compiler.commands.specs import source_of

    photos = classes(tmp_path / "set", height=150, width=150)
    text = written(photos, tmp_path, like=source_of("squeezenet1_0"), weights="weights.npz")
    assert "outputs=classes" in text
    assert "input 3x224x224" in text
    assert "freeze all" in text
    assert "input 3x128x128" in written(photos, tmp_path, like=source_of("squeezenet1_0"))
    cells = masks(tmp_path / "cells", [0, 255], 64, 96)
    text = written(cells, tmp_path, like=source_of("unet_same"))
    assert "conv classes 1x1" in text
    assert "input 3x64x96" in text
    text = written(cells, tmp_path, like=source_of("unet_resnet18"), weights="weights.pt")
    assert "labels=classes" in text
    assert "input image 3x64x96" in text
    assert "features layer4 trained lr=0.1x" in text


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("one class", "one-class"),
        ("nothing", "no-class-folders"),
        ("no labels", "no-class-folders"),
        ("no images", "bad-files"),
        ("two images", "too-few-images"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(what: str, code: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    if what == "one class":
        classes(folder, ("cat",))
    elif what == "no labels":
        image(folder / "0.png")
    elif what == "no images":
        for number in range(8):
            image(folder / "ab"[number % 2] / f"{number}.png")
            (folder / "ab"[number % 2] / f"{number}.png").write_text("text")
    elif what == "two images":
        classes(folder, count=1)
    with pytest.raises(SpecError) as error:
        written(folder, tmp_path)
    assert error.value.diagnostics[0].code == code
    assert error.value.diagnostics[0].help


def test_of_many_files_a_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "MOST_FILES", 30)
    seen: list[int] = []
    look = surveying._file

    def counting(part: object, index: int, of: int, bands: int) -> object:
        seen.append(index)
        return look(part, index, of, bands)  # type: ignore[arg-type]

    monkeypatch.setattr(surveying, "_file", counting)
    text = written(classes(tmp_path / "set", count=40, height=8, width=8), tmp_path)
    assert len(seen) == 30
    assert "80 images (30 were looked at)" in text


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file has the name of the data, in the canonical layout; what it says is kept."""
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "cats dogs")
    assert main(["new", "--data", "cats dogs", "--device", "cpu"]) == 0
    assert main(["check", "cats_dogs.cnn"]) == 0
    assert main(["fmt", "--check", "cats_dogs.cnn"]) == 0
    assert main(["new", "--data", "cats dogs"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["new"]) == 2
    assert main(["new", "net", "--size", "small"]) == 2
    assert main(["new", "net", "--data", "cats dogs", "--from", "weights.npz"]) == 2
    assert main(["new", "net", "--data", "absent"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "masks", "numbers", "tags", "series"])
def test_it_trains_as_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "set"
    if kind == "classes":
        classes(data, count=10, height=100, width=140)
    elif kind == "masks":
        masks(data, [0, 1, 2], 70, 50)
    elif kind == "series":
        values = RANDOM.normal(size=(20, 2, 90)).astype(numpy.float32)
        data = tmp_path / "set.npz"
        numpy.savez(data, x_train=values, y_train=numpy.arange(20) % 2)
    else:
        classes(tmp_path, ("im",), 12, height=30, width=30)
        cells = ["0.5", "2", "7"] if kind == "numbers" else ["sea|sun", "sun", "sand"]
        rows = [f"im/{number}.png,{cells[number % 3]}" for number in range(12)]
        data = tmp_path / "table.csv"
        data.write_text("\n".join(["file,label", *rows]))
    Path("net.cnn").write_text(written(data, tmp_path))
    assert main(["train", "net.cnn", "--device", "cpu", "--set", "train.epochs=1"]) == 0
