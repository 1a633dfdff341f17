"""Masks of series and scans: a class for each step or voxel, from data to predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor

import dotcnn
from commands import run
from dotcnn.compiler.plan.loss import CrossEntropy
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.augment.series_sheet import series_sheet
from dotcnn.training.data.open import open_data
from dotcnn.training.data.samples.sample_fit import SampleFit
from dotcnn.training.masks.tiling import Tiling, bands, outputs_of
from dotcnn.training.metrics.boundary_f1 import boundary_f1
from dotcnn.training.metrics.tiled_evaluation import count_tiled
from dotcnn.training.show.input_images import from_data, from_files
from dotcnn.training.show.run import run_network
from dotcnn.training.show.subject import subject_of_run
from dotcnn.training.tasks.segmentation import Segmentation

LENGTH = 48
BOTH = pytest.mark.parametrize(
    "npy", [pytest.param(False, marks=pytest.mark.slow), True], ids=["npz", "npy"]
)
STEPS = """
network Steps {{
  input 2x{length}
  conv 8 5 same, relu
  conv classes 1
}}
train {{
  {data}
  epochs 1
  batch 4
}}
evaluate {{ normalize measured{evaluate} }}
augment {{ {augment} }}
"""
VOXELS = """
network Voxels {{
  input 1x{size}
  conv 4 3 same, relu
  conv classes 1
}}
train {{
  {data}
  epochs 1
  batch 4
}}
evaluate {{ normalize measured{evaluate} }}
augment {{ {augment} }}
"""


def coded(count: int, *sizes: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Samples whose numbers tell their class: it is the sign of the first channel."""
    random = numpy.random.default_rng(0)
    numbers = random.normal(size=(count, 2 if len(sizes) == 1 else 1, *sizes)).astype("f4")
    return numbers, (numbers[:, 0] > 0).astype("u1")


def saved(folder: Path, arrays: Mapping[str, numpy.ndarray], *, npy: bool) -> str:
    if not npy:
        numpy.savez(folder / "data.npz", **dict(arrays))
        return 'data npz "data.npz"'
    (folder / "data").mkdir()
    for name, array in arrays.items():
        numpy.save(folder / "data" / f"{name}.npy", array)
    return 'data npy "data"'


def arrays_of(*sizes: int) -> dict[str, numpy.ndarray]:
    images, masks = coded(8, *sizes)
    more, theirs = coded(4, *sizes)
    return {"x_train": images, "y_train": masks, "x_test": more, "y_test": theirs}


def trained(folder: Path, spec: str, **values: object) -> dotcnn.Result:
    known = {"evaluate": "", "augment": "noise 1%", **values}
    (folder / "net.cnn").write_text(spec.format(**known), encoding="utf-8")
    return dotcnn.train(folder / "net.cnn", output=folder / "run", quiet=True)


@BOTH
def test_steps_and_voxels_are_learned(tmp_path: Path, *, npy: bool) -> None:
    for name, spec, sizes in (("steps", STEPS, (LENGTH,)), ("voxels", VOXELS, (8, 8, 8))):
        folder = tmp_path / name
        folder.mkdir()
        data = saved(folder, arrays_of(*sizes), npy=npy)
        size = "x".join(map(str, sizes))
        trained(folder, spec, data=data, length=size, size=size)
        page = (folder / "run" / "report.html").read_text(encoding="utf-8")
        assert f"wrong {name}" in page
        assert "Filters of the first layer" in page
        outcome = dotcnn.evaluate(folder / "run")
        assert {"miou", "pixels", "boundary"} <= outcome.metrics.keys()
        assert set(outcome.per_class) == {"0", "1"}
        sample = arrays_of(*sizes)["x_test"][0]
        (prediction,) = dotcnn.predict(folder / "run", [sample])
        assert prediction.mask is not None
        assert tuple(prediction.mask.shape) == sizes


@pytest.mark.slow
def test_masks_may_differ_in_what_they_cover(tmp_path: Path) -> None:
    """`ignore` and -1 stand for no label; black and white are two classes."""
    arrays = arrays_of(LENGTH)
    arrays["y_train"][:, ::2] = 7
    data = saved(tmp_path, arrays, npy=False)
    trained(tmp_path, STEPS, data=f"{data} ignore=7", length=LENGTH)
    outcome = dotcnn.evaluate(tmp_path / "run")
    assert set(outcome.per_class) == {"0", "1"}
    (tmp_path / "bw").mkdir()
    arrays = {
        name: array * 255 if name.startswith("y") else array
        for name, array in arrays_of(LENGTH).items()
    }
    data = saved(tmp_path / "bw", arrays, npy=False)
    result = trained(tmp_path / "bw", STEPS, data=data, length=LENGTH)
    assert set(result.outcome.per_class) == {"background", "object"}


@pytest.mark.parametrize("npy", [False, True], ids=["npz", "npy"])
@pytest.mark.parametrize(("change", "said"), [
    ({"y_train": numpy.zeros((7, LENGTH), "u1")}, "8"),
    ({"y_train": numpy.full((8, LENGTH), 300)}, "300"),
    ({"y_train": numpy.zeros((8, LENGTH - 1), "u1")}, "rows"),
])  # fmt: skip
def test_masks_that_do_not_fit_are_named(
    tmp_path: Path, change: Mapping[str, numpy.ndarray], said: str, *, npy: bool
) -> None:
    data = saved(tmp_path, arrays_of(LENGTH) | dict(change), npy=npy)
    with pytest.raises(SpecError) as error:
        trained(tmp_path, STEPS, data=data, length=LENGTH)
    assert said in str(error.value)


def test_rows_of_classes_are_no_masks(tmp_path: Path) -> None:
    """Rows that are not as long as the series are several classes, or numbers."""
    images, _ = coded(8, LENGTH)
    rows = (numpy.random.default_rng(1).random((8, 3)) > 0.5).astype("u1")
    data = saved(tmp_path, {"x_train": images, "y_train": rows}, npy=False)
    spec = STEPS.replace("  conv classes 1\n", "  pool avg global, flatten\n  fc classes\n")
    result = trained(tmp_path, spec, data=f"{data} val=25%", length=LENGTH)
    assert "map" in result.outcome.metrics


@pytest.mark.slow
def test_what_a_run_learned_is_shown(tmp_path: Path) -> None:
    """`cnn show` brings series and scans of any size to the input, as training did."""
    for name, spec, sizes, size in (
        ("steps", STEPS, (LENGTH,), "32"), ("voxels", VOXELS, (8, 8, 9), "8x8x8")
    ):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        data = saved(folder, arrays_of(*sizes), npy=False)
        trained(folder, spec, data=data, length=size, size=size)
        device = torch.device("cpu")
        subject = subject_of_run(folder / "run", dotcnn.__version__, device=device)
        numpy.save(folder / "one.npy", arrays_of(*sizes)["x_test"][1])
        (of_file,) = from_files(subject, [str(folder / "one.npy")])
        (of_data,) = from_data(subject, [1])
        assert torch.allclose(of_file.input, of_data.input, atol=1e-6)
        assert tuple(of_data.input.shape) == subject.network.input.shape
        assert of_data.label is None
        assert "brought from" in of_file.origin
        assert run_network(subject, [of_data]).output(subject.network.output).shape[0] == 2
        sheet = series_sheet(open_data(subject.plan, subject.base), samples=2, epochs=1)
        labels = [row.label for group in sheet.groups for row in group.rows]
        assert labels.count("masks") == labels.count("original") + labels.count("epoch 1") == 2


@pytest.mark.slow
def test_masks_are_written_as_arrays(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = saved(tmp_path, arrays_of(LENGTH), npy=False)
    trained(tmp_path, STEPS, data=data, length=LENGTH)
    numpy.save(tmp_path / "long.npy", numpy.tile(arrays_of(LENGTH)["x_test"][0], 3))
    predict = "predict", tmp_path / "run", tmp_path / "long.npy", "-o", tmp_path / "masks"
    told = run(capfd, *predict, "--overlay")
    assert told.code == 0, told.err
    assert "series" in told.out
    assert "steps" in told.out
    with numpy.load(tmp_path / "masks" / "long.npz") as arrays:
        assert arrays["mask"].shape == (3 * LENGTH,)
        assert arrays["classes"].tolist() == ["0", "1"]
    assert (tmp_path / "masks" / "long_overlay.png").exists()
    assert run(capfd, *predict).code == 0  # its own files are replaced
    assert run(capfd, *predict, "--polygons").code == 2


# ---- tiles -----------------------------------------------------------------------------------


@BOTH
def test_whole_samples_are_evaluated_in_tiles(tmp_path: Path, *, npy: bool) -> None:
    for spec, sizes, tile in (
        (STEPS, (LENGTH,), "16"),
        (VOXELS, (8, 8, 10), "4x8x6"),
    ):
        folder = tmp_path / tile
        folder.mkdir()
        data = saved(folder, arrays_of(*sizes), npy=npy)
        trained(folder, spec, data=data, length=tile, size=tile, evaluate=", tiles")
        outcome = dotcnn.evaluate(folder / "run")
        counted = sum(row["pixels"] for row in outcome.per_class.values())
        assert counted == arrays_of(*sizes)["y_test"].size
        # The same masks as those of predictions, whose tiles have the size of the input.
        arrays = arrays_of(*sizes)
        masks = [p.mask for p in dotcnn.predict(folder / "run", list(arrays["x_test"]))]
        right = (torch.stack(masks) == torch.from_numpy(arrays["y_test"])).float().mean()
        assert outcome.metrics["pixels"] == pytest.approx(float(right), abs=1e-6)


@pytest.mark.parametrize(("size", "side"), [
    ((50,), (16,)), ((5,), (16,)), ((9, 20, 17), (4, 8, 16)), ((3, 4, 5), (4, 8, 4)),
])  # fmt: skip
def test_what_is_the_same_in_every_tile_stays(size: tuple[int, ...], side: tuple[int, ...]) -> None:
    def answer(images: Tensor) -> Tensor:
        assert tuple(images.shape[2:]) == side
        return torch.cat([images, -images], 1)

    images = torch.randn(3, 1, *size)
    for overlap in (0.0, 0.5):
        tiling = Tiling(side, overlap)
        found = outputs_of(answer, images, tiling)
        assert torch.allclose(found[:, :1], images, atol=1e-5)
        assert sum(band.rows.shape[2] for band in bands(answer, images, tiling)) == size[0]


def test_the_counts_of_a_scan_do_not_depend_on_its_tiles() -> None:
    images = torch.randn(2, 3, 9, 10, 11)
    masks = torch.randint(0, 3, (2, 9, 10, 11), dtype=torch.uint8)
    task, loss = Segmentation(("a", "b", "c")), CrossEntropy()
    plain, tiled = (task.tally(loss, torch.device("cpu")).thorough() for _ in range(2))
    plain.add(images, masks)
    count_tiled(lambda each: each, images, masks, Tiling((4, 5, 11), 0.25), [tiled])
    for name, value in plain.metrics().items():
        assert tiled.metrics()[name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.slow
def test_short_samples_are_padded_and_their_answers_cut(tmp_path: Path) -> None:
    data = saved(tmp_path, arrays_of(LENGTH), npy=False)
    for at in ("end", "start", "both"):
        folder = tmp_path / at
        folder.mkdir()
        evaluate = f", tiles, pad zero at={at}"
        trained(folder, STEPS, data=data.replace('"d', '"../d'), length=64, evaluate=evaluate)
        outcome = dotcnn.evaluate(folder / "run")
        arrays = arrays_of(LENGTH)
        masks = [p.mask for p in dotcnn.predict(folder / "run", list(arrays["x_test"]))]
        right = (torch.stack(masks) == torch.from_numpy(arrays["y_test"])).float().mean()
        assert outcome.metrics["pixels"] == pytest.approx(float(right), abs=1e-6)


@pytest.mark.parametrize("tiles", ["tiles 16x16", "tiles"])
def test_tiles_that_do_not_fit_are_named(tiles: str) -> None:
    spec = STEPS.format(
        data="data digits", length=LENGTH, evaluate=f", {tiles}", augment="noise 1%"
    )
    if tiles == "tiles":
        spec = spec.replace("  conv classes 1\n", "  pool avg global, flatten\n  fc 2\n")
    (found,) = [each for each in dotcnn.check(spec) if "tile" in each.message]
    assert found.help


# ---- metrics ---------------------------------------------------------------------------------


def test_boundaries_of_series_and_scans() -> None:
    mask = torch.zeros(40, dtype=torch.uint8)
    mask[10:20] = 1
    assert float(boundary_f1(mask, mask, 2)) == 1
    assert float(boundary_f1(mask.roll(1), mask, 2)) == 1  # one step is near enough
    assert float(boundary_f1(mask.roll(3), mask, 2)) == 0
    scan = torch.zeros(8, 9, 10, dtype=torch.uint8)
    scan[2:5, 3:6, 4:8] = 1
    assert float(boundary_f1(scan, scan, 2)) == 1
    assert float(boundary_f1(scan.roll(4, 2), scan, 2)) < 1


def test_padding_has_no_label() -> None:
    fit = SampleFit((6,), "zero", "start")
    both = fit(torch.tensor([[1.0, 2, 3], [0.0, 1, 1]]), masks=1)
    assert both.tolist() == [[0, 0, 0, 1, 2, 3], [255, 255, 255, 0, 1, 1]]
