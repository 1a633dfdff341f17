"""`cnn probe` and `cnn features`: what is done to images, accuracies, tables."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy
import pytest
import torch

import dotcnn
from commands import run
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.show.measure.features import Features, by_umap, principal_components
from dotcnn.training.show.measure.features_file import MOST_COLUMNS, as_parquet
from dotcnn.training.show.measure.probe import KINDS, pixel_sizes
from dotcnn.training.show.subject import subject_of_spec

from ..trained import small_run


def test_whole_pixels_are_shifted_exactly() -> None:
    images = torch.randint(0, 256, (2, 3, 9, 12), dtype=torch.uint8)
    moved = KINDS["shift"](images, 3)
    assert torch.equal(moved[..., 3:], images[..., :-3])
    assert torch.equal(moved[..., :3], images[..., :1].expand(2, 3, 9, 3))


def test_quarter_turns_and_halves() -> None:
    images = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(KINDS["rotate"](images, 90), images.rot90(1, (2, 3)))
    assert torch.equal(KINDS["rotate"](images, 180), images.rot90(2, (2, 3)))
    assert torch.equal(KINDS["brightness"](images, 300), torch.full_like(images, 255))
    flat = torch.full((1, 1, 8, 8), 7, dtype=torch.uint8)
    for kind in ("blur", "scale", "rotate", "shift"):
        assert torch.equal(KINDS[kind](flat, 1.5), flat)
    dot = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    dot[..., 3:6, 3:6] = 200
    twice = KINDS["scale"](dot, 2)
    assert int((twice == 200).sum()) == 25, "and half of it at the border"
    assert int((twice > 0).sum()) == 49


@pytest.mark.parametrize("kind", KINDS)
def test_strength_nothing_changes_nothing(kind: str) -> None:
    images = torch.randint(0, 256, (2, 3, 9, 12), dtype=torch.uint8)
    each = KINDS[kind]
    assert each.neutral in each.strengths
    assert torch.equal(each(images, each.neutral), images)


def test_undisturbed_it_is_the_accuracy_of_the_run(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page_file = tmp_path / "p.html"
    result = run(capfd, "probe", small_run(), "noise", "--strengths", "0 200", "-o", page_file)
    assert result.code == 0
    accuracy = dotcnn.evaluate(small_run()).metrics["top1"]
    rows = [line.split() for line in result.out.splitlines()]
    clean = next(row for row in rows if row[:1] == ["0"])
    noisy = next(row for row in rows if row[:1] == ["200"])
    assert float(clean[1]) == pytest.approx(100 * accuracy, abs=0.06)
    assert float(noisy[1]) < float(clean[1]) - 20
    page = page_file.read_text(encoding="utf-8")
    assert page.count("<figure>") == 2
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["RUN", "shfit"], "did you mean `shift`?"),
        (["nothing", "shift"], "not a run folder"),
        (["shift", "RUN"], "the KIND comes last"),
        (["RUN", "blur", "noise"], "one KIND at a time"),
        (["RUN", "blur", "--strengths", "-1"], "blur takes numbers from 0 to 1000, not -1"),
        (["RUN", "scale", "--strengths", "0 1"], "scale takes numbers from 0.05 to 1000, not 0"),
        (["RUN", "blur", "--strengths", "x"], "are not numbers"),
        (["RUN", "blur", "-o", "x.txt"], "ends in .html"),
    ],
)
def test_wrong_use(words: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    given = [str(small_run()) if word == "RUN" else word for word in words]
    result = run(capfd, "probe", *given)
    assert result.code == 2
    assert why in result.err


def _arrays(folder: Path, classes: list[str]) -> Path:
    images = numpy.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=numpy.uint8)
    labels = numpy.arange(40) % len(classes)
    numpy.savez(folder / "data.npz", images=images, labels=labels, classes=numpy.array(classes))
    return folder / "data.npz"


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        (["ants", "bees"], "data has 2 classes, and the network ends in 10"),
        (list("abcdefghij"), "the classes of the data differ"),
        (list("1234567890"), "put them into the same order"),
    ],
)
def test_only_data_with_the_classes_of_the_run_has_an_accuracy(
    classes: list[str], why: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = _arrays(tmp_path, classes)
    result = run(capfd, "probe", small_run(), "noise", "--strengths", "0", "--data", data)
    assert result.code == 1
    assert why in result.err


def test_a_run_whose_data_was_moved(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its folder stands in the options of the run, not on this command line."""
    folder = tmp_path / "run"
    shutil.copytree(small_run(), folder)
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    gone = tmp_path / "gone"
    record["made_with"]["set"] = [f'train.data=folder "{gone.as_posix()}"']
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    result = run(capfd, "probe", folder, "shift")
    assert result.code == 1
    assert "what the run was started with" in result.err
    assert "--data FOLDER" in result.err


def test_pixels_are_those_of_the_smallest_input() -> None:
    """The same image is twice as large in one network: it is shifted by twice as many pixels."""
    text = "network N { input 1x%dx%d\n flatten, fc 2 }"
    small, large = (
        subject_of_spec(Source("n.cnn", text % (side, side)), "0", device=torch.device("cpu"))
        for side in (14, 28)
    )
    assert pixel_sizes(KINDS["shift"], [large, small]) == ("14x14", [2.0, 1.0])
    assert pixel_sizes(KINDS["blur"], [small]) == ("14x14", [1.0])
    assert pixel_sizes(KINDS["rotate"], [large, small]) == ("", [1.0, 1.0])


def test_strengths_are_in_order_and_the_image_has_its_class(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "p.html"
    words = ("shift", "--strengths", "3 0 1 3", "--image", "5", "-o", page)
    result = run(capfd, "probe", small_run(), *words)
    rows = [line.split() for line in result.out.splitlines()]
    assert [row[0] for row in rows if row and row[0].isdigit()] == ["0", "1", "3"]
    assert "shift: pixels to the right, of 8x8; 359 validation images of digits" in result.out
    text = page.read_text(encoding="utf-8")
    assert ", labeled " in text
    assert "shift 3" in text


def test_features_are_the_output_of_the_layer(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, arrays, picture = (tmp_path / name for name in ("t.csv", "t.npz", "m.svg"))
    code = run(capfd, "features", small_run(), "--layer", "conv1", "-o", table).code
    assert code == 0
    code = run(
        capfd, "features", small_run(), "--layer", "conv1", "-o", arrays, "--map", picture
    ).code
    assert code == 0
    with table.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["file", "part", "label", *map(str, range(8))]
    assert set(Counter(row[1] for row in rows)) == {"train", "val", "test"}
    with numpy.load(arrays) as found:
        assert found["x"].shape == (len(rows), 8)
        numbers = numpy.array([[float(each) for each in row[3:]] for row in rows])
        assert numpy.allclose(found["x"], numbers, rtol=1e-5, atol=1e-6)
        assert found["labels"].tolist() == [row[2] for row in rows]
    assert picture.read_text(encoding="utf-8").count('class="c0"') > 10


def test_features_of_photographs(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from PIL import Image

    for n in range(3):
        Image.new("L", (20, 30), 40 * n).save(tmp_path / f"{n}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    result = run(capfd, "features", small_run(), tmp_path, "-o", tmp_path / "t.csv")
    assert result.code == 0
    assert "3 images x " in result.out
    assert "broken.png" in result.err


def test_a_folder_that_is_named_is_not_divided(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`split` draws a validation set for training; in a table of a folder it would be made up."""
    from PIL import Image

    for n in range(12):
        folder = tmp_path / "photos" / "ab"[n % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * n).save(folder / f"{n}.png")
    table = tmp_path / "t.csv"
    assert run(capfd, "features", small_run(), tmp_path / "photos", "-o", table).code == 0
    with table.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    assert Counter((row[1], row[2]) for row in rows) == {("", "a"): 6, ("", "b"): 6}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["-o", "nowhere/t.csv"], 1, "cannot write nowhere/t.csv: there is no folder nowhere"),
        (["-o", "t.csv", "--umap"], 2, "--umap arranges a picture"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_computed(
    words: list[str], code: int, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run(capfd, "features", "no_such_run", *words)
    assert (result.code, result.out) == (code, "")
    assert why in result.err


def test_features_of_arrays_without_classes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    numpy.savez(tmp_path / "images.npz", x=numpy.zeros((2, 8, 8), dtype=numpy.uint8))
    result = run(capfd, "features", small_run(), tmp_path / "images.npz", "-o", tmp_path / "t.csv")
    assert result.code == 0, result.err
    assert "2 images x " in result.out


@pytest.mark.parametrize("count", [3, MOST_COLUMNS + 1])
def test_parquet(count: int) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    values = torch.arange(2.0 * count).view(2, count)
    told = Features(("a.png", "b.png"), ("", ""), ("x", "y"), values)
    table = parquet.read_table(io.BytesIO(as_parquet(told)))
    assert table["file"].to_pylist() == ["a.png", "b.png"]
    if count == 3:
        assert table["1"].to_pylist() == [1.0, 4.0]
    else:
        assert table["numbers"].to_pylist() == values.tolist()


def test_umap_is_asked_for_no_more_neighbors_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It warns otherwise, and fails for very few images."""
    asked: list[dict[str, object]] = []

    class Fake:
        def __init__(self, **options: object) -> None:
            asked.append(options)

        def fit_transform(self, values: numpy.ndarray) -> numpy.ndarray:
            return values[:, :2]

    module = ModuleType("umap")
    module.__spec__ = ModuleSpec("umap", None)
    module.UMAP = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    assert by_umap(torch.ones(6, 3)).shape == (6, 2)
    assert asked == [{"n_neighbors": 5, "random_state": 0, "n_jobs": 1}]
    with pytest.raises(SpecError, match="5 images or more"):
        by_umap(torch.ones(4, 3))


def test_principal_components() -> None:
    """Of points on a line, one component has all of the variance."""
    line = torch.arange(10.0)[:, None] * torch.tensor([[3.0, 4.0]])
    places, shares = principal_components(line)
    assert shares[0] == pytest.approx(1)
    assert (places[1:, 0] - places[:-1, 0]).tolist() == pytest.approx([5.0] * 9, rel=1e-5)
    assert principal_components(torch.ones(4, 3))[1] == [0.0, 0.0]
    with pytest.raises(SpecError, match="of 1 image are not finite"):
        principal_components(torch.tensor([[1.0, 2.0], [float("nan"), 3.0]]))


@pytest.mark.parametrize("shape", [(30, 5), (5, 30)])
def test_components_are_those_of_the_singular_values(shape: tuple[int, int]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    places, shares = principal_components(values)
    deviations = torch.linalg.svdvals((values - values.mean(0)).double())
    expected = deviations.square() / deviations.square().sum()
    assert shares == pytest.approx(expected[:2].tolist())
    assert places.norm(dim=0).tolist() == pytest.approx(deviations[:2].tolist(), rel=1e-5)
