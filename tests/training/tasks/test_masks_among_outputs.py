"""Networks with several outputs of which some are masks: they are read, moved with their images,
learned, shown and exported beside the other answers."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from dotcnn import SpecError, evaluate, export, predict
from dotcnn.cli import main
from dotcnn.compiler.plan.data import UNLABELLED
from dotcnn.compiler.plan.loss import CrossEntropy
from dotcnn.compiler.plan.number_loss import Mae
from dotcnn.dsl.source import Source
from dotcnn.training.augment.build import augmenter
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.optim.mask_losses import mask_loss
from dotcnn.training.request import request
from dotcnn.training.tasks.answer import Answer, Scale
from dotcnn.training.tasks.known_tasks import several_tasks
from dotcnn.training.tasks.multi_task import MultiTask
from dotcnn.training.tasks.rows_with_maps import with_maps, without_maps

from ..mask_sets import save, squares
from ..small import Looker, equal, gone_on, last, trained

SPEC = """
network Both {{
  input 3x{height}x{width}
  conv 8 3x3 same, bn
  one: relu
  pool max 2x2
  conv 16 3x3 same, bn
  deep: relu
  output mask {{ upsample 2, concat {{ | | from one }}, conv 16 3x3 same, bn, relu, conv 3 1x1 }}
  output warm {{ from deep, pool avg global, flatten, fc 2 }}
  {outputs}
}}
train {{
  data table "{table}"
  epochs {epochs}
  batch 8
  optimizer adamw lr=2e-2
  {more}
}}
{sections}
"""
SIZE = 24, 32


def spec(
    folder: Path, epochs: int = 1, more: str = "", sections: str = "", outputs: str = ""
) -> str:
    return SPEC.format(
        height=SIZE[0], width=SIZE[1], table=folder / "set.csv", epochs=epochs, more=more,
        sections=sections, outputs=outputs,
    )  # fmt: skip


def write(folder: Path, count: int = 40, change: Callable[[list[str]], object] = len) -> Path:
    """Images of a red and a blue square with masks and a class; `change` is called with each row:
    the image, the mask, the class, the edge of the squares and their distance."""
    with (folder / "set.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "mask", "warm", "edge", "depth"])
        for number in range(count):
            image, mask = squares(number)
            warm = number % 2
            image[..., 0 if warm else 2] = numpy.maximum(image[..., 0 if warm else 2], 90)
            save(folder / "images" / f"{number}.png", image)
            save(folder / "masks" / f"{number}.png", mask)
            edge = (mask > 0) & (numpy.roll(mask, 1, 1) == 0)
            save(folder / "edges" / f"{number}.png", edge.astype(numpy.uint8))
            row = [f"images/{number}.png", f"masks/{number}.png", ["cold", "warm"][warm]]
            row.append(f"edges/{number}.png")
            depth = numpy.where(mask > 0, 200, numpy.arange(SIZE[0])[:, None] * 4)
            save(folder / "depths" / f"{number}.png", depth.astype(numpy.uint8))
            row.append(f"depths/{number}.png")
            change(row)
            rows.writerow(row)
    (folder / "mask_classes.txt").write_text("ground\nred\nblue\n")
    return folder


def opened(text: str) -> Opened:
    asked = request(Source("both.cnn", text))
    return open_data(asked.plan, Path())


_KEPT: list[TemporaryDirectory[str]] = []


@cache
def run() -> Path:
    """A run that tests must not change; its data is beside it."""
    _KEPT.append(TemporaryDirectory())
    folder = write(Path(_KEPT[0].name))
    trained(folder / "run", spec(folder, 6, sections="evaluate { tta flip }"))
    return folder / "run"


# ---- rows of labels, and of outputs ------------------------------------------------------------


def task(weight: float = 1.0) -> MultiTask:
    """A number, a mask of three classes and one class of two."""
    answers = [
        Answer("n", "regression", ("n",), Scale((5.0,), (2.0,)), complete=False),
        Answer("m", "segmentation", ("a", "b", "c"), size=(4, 6), complete=False),
        Answer("k", "classification", ("x", "y"), complete=False),
    ]
    losses = [
        Mae.make(output="n").replace(weight=weight),
        CrossEntropy.make(output="m", dice=1.0),
        CrossEntropy.make(output="k").replace(weight=weight),
    ]
    return several_tasks(answers, losses)


def batch() -> tuple[tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor]:
    """Outputs, labels with masks behind them, and the masks; the last image has no mask."""
    random = torch.Generator().manual_seed(0)
    outputs = tuple(torch.randn(3, *shape, generator=random) for shape in ((1,), (3, 4, 6), (2,)))
    masks = torch.randint(0, 3, (3, 1, 4, 6), generator=random)
    masks[0, :, 0], masks[2] = UNLABELLED, UNLABELLED
    rows = torch.tensor([[1.0, 0.0, 1.0], [math.nan, 0.0, 0.0], [0.5, math.nan, math.nan]])
    return outputs, with_maps(rows, masks), masks[:, 0]


def test_masks_stand_behind_the_rows() -> None:
    _, labels, masks = batch()
    rows, behind = without_maps(labels, 1, (4, 6))
    assert rows.shape == (3, 3)
    assert torch.equal(behind[:, 0], masks.float())


def test_the_loss_is_the_sum_of_those_of_each_output() -> None:
    outputs, labels, masks = batch()
    of_masks = mask_loss(CrossEntropy.make(dice=1.0))(outputs[1][:2], masks[:2]) * 2 / 3
    of_number = (outputs[0][[0, 2], 0] - torch.tensor([1.0, 0.5])).abs().sum() / 3
    of_class = F.cross_entropy(outputs[2][:2], torch.tensor([1, 0]), reduction="sum") / 3
    loss = task().loss(Mae.make(), None)
    assert float(loss(outputs, labels)) == pytest.approx(float(of_masks + of_number + of_class))
    packed = task().packed(outputs)
    assert float(loss(packed, labels)) == pytest.approx(float(loss(outputs, labels)))


def test_the_others_at_weight_0_change_nothing() -> None:
    """To the bit: the loss and its gradient are those of a network with a mask alone."""
    outputs, labels, masks = batch()
    one, other = outputs[1].clone().requires_grad_(), outputs[1].clone().requires_grad_()
    alone = mask_loss(CrossEntropy.make(dice=1.0))(one, masks)
    among = task(0.0).loss(Mae.make(), None)((outputs[0], other, outputs[2]), labels)
    assert float(alone.detach()) == float(among.detach())
    alone.backward()  # type: ignore[no-untyped-call]
    among.backward()  # type: ignore[no-untyped-call]
    assert one.grad is not None
    assert other.grad is not None
    assert torch.equal(one.grad, other.grad)


def test_quality_is_kept_of_masks_and_answers_of_the_others() -> None:
    outputs, labels, masks = batch()
    kept = task().kept(task().packed(outputs), labels)
    number, quality, classes = (own for _, own in task().answered(kept))
    segmentation = task().each[1].task
    assert torch.equal(quality[:2, 0], segmentation.quality(outputs[1], masks.byte())[:2])
    assert quality[2].isnan()
    assert torch.allclose(number, 5 + 2 * outputs[0])
    assert torch.allclose(classes, outputs[2].softmax(1))


def test_outputs_of_an_ensemble_are_averaged_by_kind() -> None:
    outputs, *_ = batch()
    packed = task().packed(outputs)
    averaged = dict(task().parts(task().averaged(torch.stack([packed, packed]))))
    each = {one.name: own for one, own in averaged.items()}
    assert torch.allclose(each["m"].softmax(1), outputs[1].softmax(1), atol=1e-6)
    assert torch.allclose(each["n"], outputs[0])


# ---- data --------------------------------------------------------------------------------------


def test_a_table_has_masks_and_classes(tmp_path: Path) -> None:
    def without(row: list[str]) -> None:
        if row[0] in ("images/3.png", "images/9.png"):
            row[1] = ""
        if row[0] == "images/4.png":
            row[2] = ""

    data = opened(spec(write(tmp_path, change=without)))
    described = data.dataset
    assert [(each.output, each.classes, each.complete) for each in described.answers] == [
        ("mask", ("ground", "red", "blue"), False),
        ("warm", ("cold", "warm"), False),
    ]
    assert described.answers[0].counts[1] > 81 * 20  # pixels
    lacking = 0
    for images, labels, _ in data.evaluation("train", batch=8)():
        assert images.shape[1:] == (3, *SIZE)
        rows, masks = without_maps(labels, 1, SIZE)
        unknown = rows[:, 0].isnan()
        assert (masks[unknown] == UNLABELLED).all()
        assert (masks[~unknown] < 3).all()
        lacking += int(unknown.sum())
    rows = torch.cat([store.labels for store in data.stores.values()])
    assert rows.isnan().sum(0).tolist() == [2, 1]
    assert lacking == int(data.stores["train"].labels[:, 0].isnan().sum())


def _smaller(folder: Path) -> None:
    save(folder / "masks" / "7.png", numpy.zeros((9, 9), numpy.uint8))


def _strange(folder: Path) -> None:
    save(folder / "masks" / "7.png", numpy.full(SIZE, 9, numpy.uint8))


def _gone(folder: Path) -> None:
    (folder / "masks" / "7.png").unlink()


@pytest.mark.parametrize(
    ("harm", "file", "said"),
    [
        (_smaller, "images/7.png", "its mask has 9 x 9 pixels, and the image 32 x 24"),
        (_strange, "images/7.png", "the mask has the class number 9; there are 3 classes"),
        (_gone, "row 9 of set.csv", "there is no mask masks/7.png"),
    ],
)
def test_masks_that_cannot_be_used_are_named(
    harm: Callable[[Path], None], file: str, said: str, tmp_path: Path
) -> None:
    harm(write(tmp_path))
    data = opened(spec(tmp_path).replace('set.csv"', 'set.csv" bad=10%'))
    (bad,) = data.dataset.bad
    assert bad.name == file
    assert said in bad.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("conv 3 1x1 }", "conv 4 1x1 }"), "`mask` has 3 classes in set, and the output ends in 4"),
        (("output warm", "output edge"), "the labels of `edge` in set are a class for each pixel"),
        (("output mask {", "output heat {"), "has no column `heat` for the output of this name"),
        (("conv 3 1x1 }", "conv 3 3x3 }"), "ends in 3x22x30; one of several outputs answers for"),
        (("optimizer", "loss msk focal\n optimizer"), "the network has no output `msk`"),
        (("optimizer", "loss warm dice\n optimizer"), "`loss dice` is for masks"),
    ],
)
def test_what_does_not_fit_is_refused(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=message):
        trained(tmp_path / "run", spec(write(tmp_path, 8)).replace(*change))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ("augment { mixup }", "`mixup` blends images, and a pixel of a mask has one class"),
        ("evaluate { tiles }", "tiles put together the one answer of a network"),
        ("evaluate { tta crops=5 }", "every pixel is answered"),
    ],
)
def test_directives_that_make_no_sense(sections: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        request(Source("both.cnn", spec(tmp_path, sections=sections)))


ARRAYS = """
network Both {
  input 3x24x32
  conv 8 3x3 same, bn
  one: relu
  output mask: conv 3 1x1
  output warm { from one, pool avg global, flatten, fc 2 }
}
train { epochs 1, batch 8 }
"""


def arrays(count: int = 24) -> tuple[numpy.ndarray, dict[str, numpy.ndarray]]:
    pairs = [squares(number) for number in range(count)]
    images, masks = map(numpy.stack, zip(*pairs, strict=True))
    return images, {"mask": masks, "warm": numpy.arange(count) % 2}


@pytest.mark.slow
def test_a_program_passes_masks(tmp_path: Path) -> None:
    images, labels = arrays()
    labels["mask"][3] = UNLABELLED  # it has none
    result = trained(tmp_path / "run", ARRAYS, data=(images, labels))
    assert 0 < result.metrics["mask.miou"] < 1
    again = evaluate(tmp_path / "run", data=(images, labels), part="all")
    assert again.outputs["mask"].confusion.sum() == 23 * 24 * 32
    alone = ARRAYS.replace("output mask: conv 3 1x1\n", "")
    alone = alone.replace("output warm { from one, pool avg global, flatten, fc 2 }", "conv 3 1x1")
    result = trained(tmp_path / "alone", alone, data=(images, labels["mask"]))
    assert 0 < result.metrics["miou"] < 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            numpy.zeros((24, 9, 9), int),
            "32x24 pixels in `images`, and 24 masks of 9x9 in `mask`",
        ),
        (
            numpy.full((24, 24, 32), 300),
            "the class number 300 in image #0; class numbers are from 0 to 254",
        ),
        (numpy.full((24, 24, 32), 2**60), "the class number 1152921504606846976 in image #0"),
        (numpy.full((24, 24, 32), numpy.inf), "masks are class numbers, images x height x width"),
        (numpy.full((24, 24, 32), 0.5), "masks are class numbers, images x height x width"),
        (numpy.full((24, 24, 32), 255), "`mask` in data have no class numbers"),
        (numpy.zeros((5, 24, 32), int), "24 images and 5 labels"),
    ],
)
def test_masks_of_a_program_that_cannot_be_used(
    mask: numpy.ndarray, message: str, tmp_path: Path
) -> None:
    images, labels = arrays()
    with pytest.raises(SpecError, match=message):
        trained(tmp_path / "run", ARRAYS, data=(images, {**labels, "mask": mask}))


def test_images_that_are_taken_for_masks(tmp_path: Path) -> None:
    """The error says how they are images."""
    text = spec(write(tmp_path, 8), outputs="output depth { from one, conv 1 1x1 }")
    (tmp_path / "classes.txt").write_text("near\nfar\n")
    with pytest.raises(SpecError, match="`depth`: the mask has the class number") as caught:
        trained(tmp_path / "run", text)
    assert "or `loss depth l1`, if `depth` is an image" in str(caught.value)


# ---- masks move with their images --------------------------------------------------------------


@pytest.mark.parametrize(
    "augmentation",
    [
        "flip horizontal",
        "rotate 20",
        "crop pad=4",
        "elastic 20",
        "cutmix",
        "randaugment",
        "flip horizontal, crop scale=30%..60%",
    ],
)
def test_masks_move_as_those_of_a_network_with_one_output(
    augmentation: str, tmp_path: Path
) -> None:
    """Both masks of an image with the same random numbers, and as if it was the only label."""
    two = "output edge { from one, conv 2 1x1 }"
    text = spec(write(tmp_path, 16), sections=f"augment {{ {augmentation} }}", outputs=two)
    data = opened(text)
    together = augmenter(
        data.plan, data.preparation, mixable=data.task.mixable, behind=data.task.behind
    )
    alone = augmenter(data.plan, data.preparation)
    assert together is not None
    assert alone is not None
    (images, labels, indices), *_ = data.evaluation("train", batch=6)()
    rows, masks = without_maps(labels, 2, SIZE)
    moved_images, moved = together(images, labels, indices, 3)
    moved_rows, moved_masks = without_maps(moved, 2, SIZE)
    for number in range(2):
        one, other = alone(images, masks[:, number].byte(), indices, 3)
        assert torch.equal(one, moved_images)
        assert torch.equal(other.float(), moved_masks[:, number])
    assert len(moved_rows) == len(rows) - together.guests
    if augmentation == "cutmix":
        assert (moved_rows[:, 1:3].sum(1) == 1).all()  # shares of the classes


# ---- images beside masks -----------------------------------------------------------------------

DEPTH = "output depth { from one, conv 1 3x3 same, sigmoid }"


def test_the_loss_of_an_image_is_that_of_images() -> None:
    """A mask, an image whose output ends in a sigmoid, and a mask: images stand before masks."""
    answers = [
        Answer("m", "segmentation", ("a", "b"), size=(4, 6)),
        Answer("d", "image_to_image", ("gray",), size=(4, 6), complete=False, ends_in="sigmoid"),
        Answer("e", "segmentation", ("a", "b", "c"), size=(4, 6)),
    ]
    losses = [CrossEntropy.make(output="m"), Mae.make(output="d"), CrossEntropy.make(output="e")]
    both = several_tasks(answers, losses)
    assert [both.channels_of(one) for one in both.each] == [slice(1, 2), slice(0, 1), slice(2, 3)]
    random = torch.Generator().manual_seed(0)
    outputs = [
        torch.randn(2, *each, generator=random) for each in ((2, 4, 6), (1, 4, 6), (3, 4, 6))
    ]
    levels = torch.randint(0, 256, (2, 1, 4, 6), generator=random)
    masks = [torch.randint(0, most, (2, 1, 4, 6), generator=random) for most in (2, 3)]
    rows = torch.tensor([[0.0, 0.0, 0.0], [0.0, math.nan, 0.0]])
    labels = with_maps(rows, torch.cat([levels, *masks], 1))
    of_image = (outputs[1][0].sigmoid() - levels[0] / 255).abs().mean() / 2
    of_masks = sum(F.cross_entropy(outputs[2 * n], masks[n][:, 0]) for n in range(2))
    loss = both.loss(Mae.make(), None)
    assert float(loss(outputs, labels)) == pytest.approx(float(of_image + of_masks))
    assert float(loss(both.packed(outputs), labels)) == pytest.approx(float(of_image + of_masks))
    tally = both.tally(Mae.make(), torch.device("cpu"))
    tally.add(both.packed(outputs), labels)
    error = (outputs[1][0].sigmoid() - levels[0] / 255).square().mean()
    assert tally.metrics()["d.psnr"] == pytest.approx(-10 * math.log10(float(error)), abs=0.02)
    assert both.kept(both.packed(outputs), labels).isnan().tolist() == [
        [False, False, False], [False, True, False],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "augmentation",
    ["flip horizontal", "rotate 20", "crop scale=40%..80%, flip horizontal", "cutmix", "mixup"],
)
def test_images_to_answer_move_with_their_images(augmentation: str, tmp_path: Path) -> None:
    """One that is the first channel of its image stays that, where only pixels are moved."""
    text = spec(write(tmp_path, 12), sections=f"augment {{ {augmentation} }}", outputs=DEPTH)
    text = text.replace("optimizer", "loss depth l1\n optimizer")
    text = "\n".join(line for line in text.splitlines() if "output mask" not in line)
    for number in range(12):
        image = Image.open(tmp_path / "images" / f"{number}.png")
        image.getchannel(0).save(tmp_path / "depths" / f"{number}.png")
    data = opened(text)
    together = augmenter(
        data.plan, data.preparation, mixable=data.task.mixable, behind=data.task.behind
    )
    assert together is not None
    (images, labels, indices), *_ = data.evaluation("train", batch=6)()
    moved, labels = together(images, labels, indices, 3)
    _, depths = without_maps(labels, 1, SIZE)
    mean, std = data.preparation.mean[0], data.preparation.std[0]
    assert torch.allclose(depths[:, 0], (moved[:, 0] * std + mean) * 255, atol=0.01)


@pytest.mark.slow
def test_an_image_is_learned_beside_a_mask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(row: list[str]) -> None:
        if row[0] in ("images/3.png", "images/9.png"):
            row[4] = ""

    sections = "augment { flip horizontal, color brightness=0.2 }\nevaluate { tta flip }"
    text = spec(write(tmp_path, change=without), 8, "loss depth l1 weight=2", sections, DEPTH)
    result = trained(tmp_path / "run", text)
    assert result.metrics["depth.psnr"] > 16
    outcome = evaluate(tmp_path / "run", device="cpu", tta=True)
    assert outcome.outputs["depth"].metrics["psnr"] > 16
    assert (
        "Images: input, answer and target: depth" in (tmp_path / "run" / "report.html").read_text()
    )
    (prediction,) = predict(tmp_path / "run", str(tmp_path / "images" / "0.png"))
    picture = prediction.outputs["depth"].picture
    assert picture is not None
    assert picture.shape == (1, *SIZE)
    wanted = numpy.array(Image.open(tmp_path / "depths" / "0.png")).astype(float)
    assert abs(picture[0].numpy() - wanted).mean() < 40
    photograph, out = str(tmp_path / "images" / "0.png"), str(tmp_path / "out")
    assert main(["predict", str(tmp_path / "run"), photograph, "-o", out]) == 0
    assert sorted(file.name for file in Path(out).iterdir()) == ["0_depth.png", "0_mask.png"]
    assert (numpy.array(Image.open(Path(out) / "0_depth.png")) == picture[0].numpy()).all()
    export(tmp_path / "run", tmp_path / "net.onnx", predict=True)
    with pytest.raises(SpecError, match="one of the outputs is an image"):
        export(tmp_path / "run", tmp_path / "other.onnx", script=True)
    with pytest.raises(SpecError, match="this network makes images"):
        export(tmp_path / "run", tmp_path / "other.onnx", whole=True)


# ---- a whole run -------------------------------------------------------------------------------


def test_both_are_learned() -> None:
    lines = (run() / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["val"]["mask.miou"] > 0.6
    assert last["val"]["warm.top1"] > 0.9
    outcome = evaluate(run(), device="cpu")
    assert outcome.outputs["mask"].metrics["boundary"] > 0.3
    assert outcome.outputs["mask"].confusion.sum() == 8 * SIZE[0] * SIZE[1]
    page = (run() / "report.html").read_text()
    assert "Masks: right and wrong: mask" in page
    assert "Confusion matrix: warm" in page


def test_views_are_averaged_for_each_output() -> None:
    views = evaluate(run(), device="cpu", tta=True)
    plain = evaluate(run(), device="cpu")
    for name, metric in (("mask", "miou"), ("warm", "brier")):
        one, other = (each.outputs[name].metrics[metric] for each in (views, plain))
        assert one != other
        assert one == pytest.approx(other, abs=0.2)
    losses = [views.outputs[name].metrics["loss"] for name in ("mask", "warm")]
    assert views.metrics["loss"] == pytest.approx(sum(losses))


def test_predicted_masks_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, _ = squares(4)
    save(tmp_path / "a.png", numpy.kron(image, numpy.ones((2, 2, 1), numpy.uint8)))
    (prediction,) = predict(run(), str(tmp_path / "a.png"))
    answered = prediction.outputs["mask"].mask
    assert answered is not None
    assert answered.shape == (2 * SIZE[0], 2 * SIZE[1])
    assert prediction.outputs["warm"].guesses[0].name in ("cold", "warm")
    command = ["predict", str(run()), str(tmp_path / "a.png")]
    files = ["-o", str(tmp_path / "out"), "--overlay", "--polygons"]
    assert main([*command, *files]) == 0
    there = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert there == ["a_mask.json", "a_mask.png", "a_mask_overlay.png"]
    written = numpy.array(Image.open(tmp_path / "out" / "a_mask.png"))
    assert (written == answered.numpy()).all()
    assert "ground" in capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["images"][0]["outputs"]
    assert found["mask"]["predictions"][0]["class"] == "ground"
    assert found["warm"][0]["class"] in ("cold", "warm")


@pytest.mark.slow
def test_a_whole_graph_has_two_masks(tmp_path: Path) -> None:
    """It is checked against the module when it is written."""
    two = "output edge { from one, conv 2 1x1 }"
    trained(tmp_path / "run", spec(write(tmp_path, 16), outputs=two))
    export(tmp_path / "run", tmp_path / "net.onnx", whole=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    names = [each.name for each in session.get_outputs()]
    assert names == ["mask.mask", "warm.probabilities", "warm.class", "edge.mask"]
    image, _ = squares(5, (30, 50))
    found = dict(zip(names, session.run(None, {"images": image[None]}), strict=True))
    (prediction,) = predict(tmp_path / "run", image)
    for name in ("mask", "edge"):
        own = prediction.outputs[name].mask
        assert own is not None
        assert (found[f"{name}.mask"][0] != own.numpy()).mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("predicts", [False, True])
def test_the_script_writes_masks(predicts: bool, tmp_path: Path) -> None:
    export(run(), tmp_path / "net.onnx", predict=predicts, script=True)
    image, _ = squares(6, (30, 50))
    save(tmp_path / "a.png", image)
    command = [sys.executable, str(tmp_path / "net_predict.py"), str(tmp_path / "a.png")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    (prediction,) = predict(run(), image)
    own = prediction.outputs["mask"].mask
    assert own is not None
    written = numpy.array(Image.open(tmp_path / "a_mask.png"))
    assert (written != own.numpy()).mean() < 0.01
    guess = prediction.outputs["warm"].guesses[0]
    share, name = lines[lines.index("  warm") + 1].split()
    assert name == guess.name
    assert float(share.rstrip("%")) / 100 == pytest.approx(guess.probability, abs=2e-6)


@pytest.mark.slow
def test_the_sheet_shows_masks(tmp_path: Path) -> None:
    text = spec(write(tmp_path, 16), sections="augment { rotate 20, cutmix }")
    (tmp_path / "both.cnn").write_text(text)
    assert main(["augment", str(tmp_path / "both.cnn"), "-o", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


@pytest.mark.slow
def test_an_ensemble_with_crops_of_whole_files_at_growing_sizes(tmp_path: Path) -> None:
    sections = "augment { crop 24x32 scale=50%..100%, cutmix, resize 12..24 by=epoch step=6 }"
    text = spec(write(tmp_path, 24), 2, "ensemble 2\n  weights balanced", sections)
    result = trained(tmp_path / "run", text)
    assert math.isfinite(result.metrics["loss"])
    assert result.metrics["mask.miou"] > 0


@pytest.mark.slow
def test_a_run_with_the_others_at_weight_0_is_that_of_the_mask_alone(tmp_path: Path) -> None:
    """To the bit, from the same weights, with augmentation."""
    text = spec(write(tmp_path, 24), 2, "loss warm cross_entropy weight=0\n deterministic on")
    text = text.replace("optimizer adamw lr=2e-2", "optimizer sgd lr=0.05 momentum=0.9")
    text += "augment { flip horizontal, rotate 10 }\n"
    alone = text.replace("output mask { ", "").replace("conv 3 1x1 }", "conv 3 1x1")
    alone = alone.replace('set.csv"', 'set.csv" label=mask')
    alone = "\n".join(line for line in alone.splitlines() if "warm" not in line)
    trained(tmp_path / "first", text, quiet=True)
    begin = f'\ntransfer {{ from "{tmp_path / "first"}" }}'
    trained(tmp_path / "alone", alone + begin, quiet=True)
    trained(tmp_path / "both", text + begin, quiet=True)
    both, own = last(tmp_path / "both"), last(tmp_path / "alone")
    pairs = [name for name in both if "warm" not in name]
    assert len(pairs) == len(own)
    for name, other in zip(pairs, own, strict=True):
        assert torch.equal(both[name], own[other]), name


@pytest.mark.slow
def test_a_stopped_run_with_files_continues_to_the_bit(tmp_path: Path) -> None:
    """With random crops of whole files, and images and masks of which some are missing."""

    def without(row: list[str]) -> None:
        number = int(Path(row[0]).stem)
        row[1], row[4] = row[1] * (number % 5 != 0), row[4] * (number % 7 != 0)

    sections = "augment { crop 24x32 scale=40%..100%, flip horizontal, cutmix }"
    text = spec(write(tmp_path, change=without), 2, "loss depth l1", sections, DEPTH)
    trained(tmp_path / "whole", text, quiet=True)
    stopped = trained(tmp_path / "run", text, quiet=True, callback=Looker(stop_after=5))
    assert stopped.interrupted
    gone_on(tmp_path / "run", quiet=True)
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


@pytest.mark.slow
def test_features_are_kept_with_masks_and_images(tmp_path: Path) -> None:
    changes = "augment { flip horizontal, rotate 10 }"
    text = spec(write(tmp_path, 24), 2, "loss depth l1\n deterministic on", "", DEPTH)
    trained(tmp_path / "first", text, quiet=True)
    begin = f'transfer {{ from "{tmp_path / "first"}", freeze until one'
    for name, more in (("plain", ""), ("kept", ", cache features passes=2")):
        trained(tmp_path / name, f"{text}{begin}{more} }}\n{changes}", quiet=True)
    plain, kept = last(tmp_path / "plain"), last(tmp_path / "kept")
    for name, weights in plain.items():
        torch.testing.assert_close(weights, kept[name], atol=1e-5, rtol=1e-4)
