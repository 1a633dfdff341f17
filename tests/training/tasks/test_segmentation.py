"""Networks that answer for each pixel: masks are read, moved with their images, learned and
measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from dotcnn import SpecError
from dotcnn.compiler.plan.data import UNLABELLED, Folder
from dotcnn.compiler.plan.loss import CrossEntropy, Dice, Focal, Loss, Lovasz, Tversky
from dotcnn.dsl.source import Source
from dotcnn.training.augment import augmenter
from dotcnn.training.augment.progressive import progressive
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.mask_folder import matched
from dotcnn.training.optim.mask_losses import mask_loss
from dotcnn.training.request import request
from dotcnn.training.tasks.segmentation import Segmentation

from ..mask_sets import SIZE, save, spec, squares, write_set
from ..small import trained


def opened(root: Path) -> Opened:
    made = request(Source("net.cnn", spec(f'data folder "{root}"')), here=root)
    return open_data(made.plan, made.base)


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layout",
    [
        "{part}/images/{name}.png {part}/masks/{name}.png",
        "images/{part}/{name}.png masks/{part}/{name}.png",
        "{part}/JPEGImages/{name}.png {part}/SegmentationClass/{name}_gt.png",
        "{part}/{name}.png {part}_masks/{name}.png",
        "{part}/{name}.png {part}annot/{name}.png",
        "{part}/{name}.png {part}/{name}_mask.png",
        "images/{part}/a/img{name}x.png labels/{part}/a/L_img{name}x_labelIds.png",
    ],
)
def test_layouts_of_folders(tmp_path: Path, layout: str) -> None:
    data = opened(write_set(tmp_path, layout))
    assert data.dataset.task == "segmentation"
    assert data.dataset.classes == ("0", "1", "2")
    assert [(part.name, part.count) for part in data.dataset.parts] == [("train", 12), ("val", 4)]
    image, mask = squares(100 * len("val") + 2)
    assert numpy.array_equal(data.image("val", 2).permute(1, 2, 0).numpy(), image)
    assert numpy.array_equal(data.mask("val", 2).numpy(), mask)


def test_names_with_common_beginnings_are_matched() -> None:
    images = ["scan_1.jpg", "scan_10.jpg", "scan_11.jpg"]
    masks = ["m_scan_1_seg.png", "m_scan_10_seg.png", "m_scan_11_seg.png"]
    assert matched(images, masks) == dict(zip(images, masks, strict=True))


def test_classes_are_named_by_a_table(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "classes.txt").write_text("ground\nred roof\nblue roof\n")
    assert opened(tmp_path).dataset.classes == ("ground", "red roof", "blue roof")


def test_masks_may_be_colors(tmp_path: Path) -> None:
    colors = numpy.array([[0, 0, 0], [128, 64, 128], [70, 70, 70]], numpy.uint8)
    for part in ("train", "val"):
        for number in range(4):
            image, mask = squares(number)
            save(tmp_path / part / "images" / f"{number}.png", image)
            save(tmp_path / part / "masks" / f"{number}.png", colors[mask])
    (tmp_path / "class_dict.csv").write_text(
        "name,r,g,b\nground,0,0,0\nroad,128,64,128\nhouse,70,70,70\n"
    )
    data = opened(tmp_path)
    assert data.dataset.classes == ("ground", "road", "house")
    assert numpy.array_equal(data.mask("val", 1).numpy(), squares(1)[1])


def test_black_and_white_masks_have_two_classes(tmp_path: Path) -> None:
    for number in range(8):
        image, mask = squares(number)
        save(tmp_path / "images" / f"{number}.png", image)
        save(tmp_path / "masks" / f"{number}.png", numpy.where(mask > 0, 255, 0).astype("uint8"))
    data = opened(tmp_path)
    assert data.dataset.classes == ("background", "object")
    assert set(data.mask("train", 0).unique().tolist()) == {0, 1}


def test_masks_that_are_jpegs_are_refused(tmp_path: Path) -> None:
    """Compression changes the values: each would become a class."""
    for number in range(8):
        image, mask = squares(number)
        save(tmp_path / "images" / f"{number}.png", image)
        levels = numpy.where(mask > 0, 255, 0).astype("uint8")
        save(tmp_path / "masks" / f"{number}.jpg", levels)
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "lossy-masks"
    assert "PNG" in (diagnostic.help or "")


def test_one_value_that_no_class_has_is_said_to_be_ignored(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.help or "").startswith("write `ignore=2` after the folder")


def test_values_without_a_label(tmp_path: Path) -> None:
    write_set(tmp_path)
    text = spec(f'data folder "{tmp_path}" ignore=2')
    made = request(Source("net.cnn", text), here=tmp_path)
    data = open_data(made.plan, made.base)
    assert data.dataset.classes == ("0", "1")
    assert set(data.mask("train", 0).unique().tolist()) == {0, 1, UNLABELLED}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (numpy.zeros((9, 9), numpy.uint8), "its mask has 9 x 9 pixels, and the image 32 x 24"),
        (numpy.full(SIZE, 7, numpy.uint8), "there are 3 classes, from 0 to 2; `ignore=7` if that"),
        (
            numpy.dstack([numpy.full(SIZE, value, numpy.uint8) for value in (1, 2, 3)]),
            "the mask has colors, and no table says which class each stands for",
        ),
    ],
)
def test_bad_masks_are_named(tmp_path: Path, wrong: numpy.ndarray, said: str) -> None:
    write_set(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    save(tmp_path / "train" / "masks" / "3.png", wrong)
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert any("3.png" in note and said in note for note in diagnostic.notes)


def test_a_damaged_mask_is_said_to_be_one(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    (tmp_path / "train" / "masks" / "3.png").write_bytes(b"no image")
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (note,) = caught.value.diagnostics[0].notes
    assert note.endswith("3.png: its mask: not an image, but text")


def test_class_numbers_with_a_gap_are_pointed_out(tmp_path: Path) -> None:
    write_set(tmp_path)
    mask = numpy.zeros(SIZE, numpy.uint8)
    mask[0] = 200
    save(tmp_path / "train" / "masks" / "3.png", mask)
    notes = opened(tmp_path).dataset.notes
    assert any("only 0, 1, 2 and 200 occur" in note and "`ignore=200`" in note for note in notes)


def test_shades_of_gray_are_not_class_numbers(tmp_path: Path) -> None:
    write_set(tmp_path)
    for file in tmp_path.glob("**/masks/*.png"):
        mask = numpy.zeros(SIZE, numpy.uint8)
        mask[0], mask[1] = 100, 200
        save(file, mask)
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (found,) = caught.value.diagnostics
    assert "only the values 0, 100 and 200: shades of gray" in found.message
    assert "`name 100 100 100`" in found.help
    shades = "table 0 0 0\ncoin 100 100 100\nkey 200 200 200\n"
    (tmp_path / "classes.txt").write_text(shades)
    assert opened(tmp_path).dataset.classes == ("table", "coin", "key")


@pytest.mark.parametrize("budget", [0, None])
def test_masks_are_checked_where_images_stay_in_their_files(
    tmp_path: Path, budget: int | None
) -> None:
    write_set(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    save(tmp_path / "train" / "masks" / "3.png", numpy.zeros((9, 9), numpy.uint8))
    made = request(Source("net.cnn", spec(f'data folder "{tmp_path}" bad=10%')), here=tmp_path)
    for cache in (tmp_path / "cache", tmp_path / "cache"):  # the second time, from the cache
        data = open_data(made.plan, made.base, budget=budget, cache=cache)
        assert [bad.reason for bad in data.dataset.bad] == [
            "its mask has 9 x 9 pixels, and the image 32 x 24"
        ]


def test_images_without_a_mask_are_bad_files(tmp_path: Path) -> None:
    """A few are left out, beyond the tolerated share they are an error; masks of no image are
    named."""
    write_set(tmp_path)
    for number in (5, 7):
        (tmp_path / "train" / "masks" / f"{number}.png").unlink()
    (tmp_path / "train" / "images" / "6.png").unlink()
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert "2 of 15 files" in diagnostic.message
    assert "train/images/5.png: it has no mask" in diagnostic.notes
    assert "`bad=14%`" in diagnostic.help
    text = spec(f'data folder "{tmp_path}" bad=14%')
    made = request(Source("net.cnn", text), here=tmp_path)
    data = open_data(made.plan, made.base)
    assert data.dataset.train.count == 9
    assert [bad.name for bad in data.dataset.bad] == ["train/images/5.png", "train/images/7.png"]
    assert "train: 1 mask has no image: masks/6.png" in data.dataset.notes


def test_a_network_that_classifies_images_gets_no_masks(tmp_path: Path) -> None:
    write_set(tmp_path)
    text = "network N { input 3x24x32\nconv 8 3x3\npool avg global\nflatten\nfc classes }"
    with pytest.raises(SpecError, match="has a mask for each image, and the network ends in 3"):
        trained(tmp_path / "run", f'{text}\ntrain {{ data folder "{tmp_path}" }}')


def opened_by(data: str) -> Opened:
    return open_data(request(Source("tiny.cnn", spec(data))).plan, Path())


def test_masks_may_be_npy_files(tmp_path: Path) -> None:
    """Beside their images, in a folder, or in a table; -1 stands for no label."""
    write_set(tmp_path / "png")
    layouts = ("{part}/masks/{name}.npy", "{part}/images/{name}_mask.npy")
    for place, layout in enumerate(layouts):
        root = write_set(tmp_path / str(place))
        for mask in sorted(root.glob("*/masks/*.png")):
            array = numpy.array(Image.open(mask)).astype(numpy.int16)
            array[0, 0] = -1
            numpy.save(root / layout.format(part=mask.parts[-3], name=mask.stem), array)
            mask.unlink()
        if place:
            for part in ("train", "val"):
                (root / part / "masks").rmdir()
                (root / part / "images").rename(root / f"{part}_")
                (root / part).rmdir()
                (root / f"{part}_").rename(root / part)
        (image,) = (data := opened_by(f'data folder "{root}"')).stores["train"].source.paths[:1]
        assert image.endswith(".png")
        assert len(data.dataset.classes) == 3
        assert not data.dataset.bad
        mask_read = data.mask("train", 0)
        assert mask_read[0, 0] == UNLABELLED
        wanted = opened_by(f'data folder "{tmp_path / "png"}"').mask("train", 0)
        assert torch.equal(mask_read.flatten()[1:], wanted.flatten()[1:])
    numpy.save(tmp_path / "0" / "train" / "masks" / "5.npy", numpy.zeros(SIZE, bool))
    with (tmp_path / "0" / "set.csv").open("w") as file:
        lines = [f"train/images/{n}.png,train/masks/{n}.npy" for n in range(12)]
        file.write("\n".join(["image,mask", *lines, ""]))
    of_table = opened_by(f'data table "{tmp_path / "0" / "set.csv"}"').dataset
    assert of_table.task == "segmentation"
    assert not of_table.bad


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (numpy.zeros((24, 32, 5), int), "the mask is not class numbers, height x width"),
        (numpy.full((24, 32), 0.5), "the mask has numbers that are not those of classes"),
        (numpy.full((24, 32), numpy.nan), "the mask has numbers that are not those of classes"),
        (numpy.full((24, 32), 77), "the mask has the class number 77"),
    ],
)
def test_bad_npy_masks_are_named(array: numpy.ndarray, said: str, tmp_path: Path) -> None:
    root = write_set(tmp_path)
    (root / "classes.txt").write_text("a\nb\nc\n")
    (root / "train" / "masks" / "3.png").unlink()
    numpy.save(root / "train" / "masks" / "3.npy", array)
    (bad,) = opened_by(f'data folder "{root}" bad=20%').dataset.bad
    assert said in bad.reason


# ---- masks move with their images ------------------------------------------------------------


AUGMENTATIONS = [
    "flip horizontal",
    "flip both",
    "rotate 30",
    "shift 20%",
    "shear 10",
    "zoom 0.7..1.4",
    "perspective 0.3",
    "elastic",
    "crop scale=30%..100%",
    "crop 16x16\nresize 24x32",
    "randaugment",
    "trivial",
]
POLICIES = ("randaugment", "trivial")


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_masks_move_as_images_do(tmp_path: Path, augmentation: str) -> None:
    """An image that encodes its own columns, and a mask of the same numbers: after augmentation,
    the two agree to within half a column, wherever no fill is mixed in."""
    write_set(tmp_path)
    made = request(
        Source("net.cnn", spec(f'data folder "{tmp_path}"') + f"augment {{\n{augmentation}\n}}\n"),
        here=tmp_path,
    )
    data = open_data(made.plan, made.base)
    augment = augmenter(made.plan, data.preparation)
    assert augment is not None
    plane = torch.arange(SIZE[1]).expand(16, *SIZE).to(torch.uint8)
    images = torch.stack([200 + plane, torch.full_like(plane, 255), torch.full_like(plane, 255)], 1)
    if augmentation in POLICIES:  # which change colors: only an edge is seen
        images = torch.where(plane > 15, 255, 0).to(torch.uint8)[:, None].expand(16, 3, *SIZE)
    moved, labels = augment(images.contiguous(), plane.contiguous(), torch.arange(16), 0)
    assert (labels.shape, labels.dtype) == ((16, *moved.shape[-2:]), torch.uint8)
    levels = unnormalized(moved, data)
    labeled = labels != UNLABELLED
    if augmentation in POLICIES:
        left, right = levels[:, 0][labels < 12], levels[:, 0][(labels > 19) & labeled]
        assert abs(float(left.mean() - right.mean())) > 60
        return
    inside = labeled & (levels[:, 1] > 254.5)
    assert inside.float().mean() > 0.3
    off = (levels[:, 0] - 200 - labels)[inside].abs()
    assert float(off.max()) < 1.01
    assert float(off.mean()) < 0.35


def unnormalized(images: torch.Tensor, data: Opened) -> torch.Tensor:
    std, mean = (
        torch.tensor(each).view(-1, 1, 1) for each in (data.preparation.std, data.preparation.mean)
    )
    return (images * std + mean) / data.preparation.scale


# ---- losses and metrics ----------------------------------------------------------------------


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(3, 4, 6, 5, generator=random, dtype=torch.float64)
    masks = torch.randint(4, (3, 6, 5), generator=random)
    masks[0, :2] = UNLABELLED
    return logits, masks


def images_of(logits: torch.Tensor, masks: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """For each image: the probabilities and the classes of its labeled pixels."""
    for one, mask in zip(logits, masks, strict=True):
        labeled = mask != UNLABELLED
        yield one.softmax(0)[:, labeled].T, mask[labeled]


def test_cross_entropy_is_the_mean_over_labeled_pixels_then_images() -> None:
    logits, masks = pictures()
    each = [F.nll_loss(shares.log(), classes) for shares, classes in images_of(logits, masks)]
    assert mask_loss(CrossEntropy())(logits, masks) == pytest.approx(float(sum(each)) / 3)


@pytest.mark.parametrize("loss", [Dice(), Tversky(found=0.2, missed=0.9)])
def test_overlap_losses_follow_their_formula(loss: Loss) -> None:
    logits, masks = pictures()
    found, missed = (0.5, 0.5) if isinstance(loss, Dice) else (0.2, 0.9)
    whole = []
    for shares, classes in images_of(logits, masks):
        of_classes = []
        for number in classes.unique():
            there = (classes == number).double()
            both = (shares[:, number] * there).sum()
            extra = (shares[:, number] * (1 - there)).sum()
            lost = ((1 - shares[:, number]) * there).sum()
            of_classes.append(1 - both / (both + found * extra + missed * lost))
        whole.append(sum(of_classes) / len(of_classes))
    assert float(mask_loss(loss)(logits, masks)) == pytest.approx(float(sum(whole)) / 3)


def test_lovasz_is_the_jaccard_loss_at_hard_answers() -> None:
    """For probabilities of 0 and 1, it is one minus the IoU of the classes that an image has."""
    _, masks = pictures()
    answers = masks.roll(1, 2).clamp(max=3)
    logits = 200.0 * F.one_hot(answers, 4).permute(0, 3, 1, 2).double()
    expected = []
    for one, mask in zip(answers, masks, strict=True):
        labeled = mask != UNLABELLED
        of_classes = []
        for number in mask[labeled].unique():
            said, there = (one == number) & labeled, mask == number
            of_classes.append(1 - float((said & there).sum() / (said | there).sum()))
        expected.append(sum(of_classes) / len(of_classes))
    assert float(mask_loss(Lovasz())(logits, masks)) == pytest.approx(sum(expected) / 3)


def test_focal_without_focus_is_cross_entropy() -> None:
    logits, masks = pictures()
    focal = mask_loss(Focal(gamma=0.0, dice=0.5))(logits, masks)
    assert float(focal) == pytest.approx(float(mask_loss(CrossEntropy(dice=0.5))(logits, masks)))


@pytest.mark.parametrize("loss", [CrossEntropy(dice=1.0), Focal(), Dice(), Tversky(), Lovasz()])
def test_gradients_are_right_and_unlabeled_pixels_have_none(loss: Loss) -> None:
    logits, masks = pictures()
    logits.requires_grad_()
    function = mask_loss(loss)
    assert torch.autograd.gradcheck(lambda x: function(x, masks), logits)
    (gradient,) = torch.autograd.grad(function(logits, masks), logits)
    assert not gradient[0, :, :2].any()


def test_the_mean_over_parts_of_a_batch_is_that_of_the_batch() -> None:
    logits, masks = pictures()
    function = mask_loss(CrossEntropy(dice=1.0))
    parts = 2 / 3 * function(logits[:2], masks[:2]) + 1 / 3 * function(logits[2:], masks[2:])
    assert float(parts) == pytest.approx(float(function(logits, masks)))


def test_metrics_computed_by_hand() -> None:
    """Two of three pixels of `a` are found, and one of `b` is taken for it; `c` never occurs."""
    task = Segmentation(("a", "b", "c"))
    tally = task.tally(CrossEntropy(), torch.device("cpu"))
    answers = torch.tensor([[[0, 0, 1], [0, 1, 0]]])
    masks = torch.tensor([[[0, 0, 0], [1, 1, UNLABELLED]]]).to(torch.uint8)
    tally.add(9.0 * F.one_hot(answers, 3).permute(0, 3, 1, 2).float(), masks)
    metrics = tally.metrics()
    assert metrics["pixels"] == pytest.approx(3 / 5)
    assert metrics["miou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert metrics["dice"] == pytest.approx((4 / 6 + 2 / 4) / 2)
    figures = tally.per_class()["a"]
    assert (figures["pixels"], figures["iou"]) == (3, 0.5)
    assert tally.confusion().tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


# ---- a run -----------------------------------------------------------------------------------


def test_a_network_learns_masks(tmp_path: Path) -> None:
    write_set(tmp_path / "data")
    augment = "augment {\nflip horizontal\nrotate 10\n}\n"
    train = f'data folder "{tmp_path / "data"}"\nepochs 8\nbatch 4\noptimizer adamw lr=2e-2'
    result = trained(tmp_path / "run", spec(train) + augment)
    assert result.metrics["miou"] > 0.5
    assert {"loss", "miou", "dice", "pixels", "boundary"} == set(result.metrics)
    assert result.report is not None
    text = result.report.read_text()
    assert "IoU" in text
    assert result.outcome is not None
    assert len(result.outcome.answers) == 4  # the mean IoU of each image


def test_a_folder_of_classes_named_images_stays_one_of_classes(tmp_path: Path) -> None:
    for name in ("cats", "images"):
        for number in range(6):
            save(tmp_path / name / f"{number}.png", squares(number)[0])
    made = request(
        Source(
            "net.cnn",
            "network N { input 3x24x32\nconv 8 3x3\npool avg global\nflatten\nfc classes }\n"
            f'train {{ data folder "{tmp_path}" }}',
        ),
        here=tmp_path,
    )
    assert isinstance(made.plan.train.data, Folder)
    assert open_data(made.plan, made.base).dataset.classes == ("cats", "images")


@pytest.mark.parametrize(
    ("augment", "said"),
    [("mixup", "a pixel of a mask has one class"), ("cutmix\nflip horizontal", "")],
)
def test_images_with_masks_are_pasted_but_not_blended(augment: str, said: str) -> None:
    text = spec("data digits\nloss focal", classes="3") + f"augment {{\n{augment}\n}}\n"
    if not said:
        request(Source("net.cnn", text))
        return
    with pytest.raises(SpecError, match=said):
        request(Source("net.cnn", text))


def test_masks_grow_with_their_images(tmp_path: Path) -> None:
    write_set(tmp_path / "data")
    text = spec(f'data folder "{tmp_path / "data"}"\nepochs 2\nbatch 6')
    text += "augment {\nresize 12..24 by=epoch step=12\n}\n"
    made = request(Source("net.cnn", text), here=tmp_path)
    growing = progressive(made.plan)
    assert growing is not None
    mask = torch.arange(24 * 32).view(1, 24, 32).remainder(251).to(torch.uint8)
    images = mask[:, None].expand(1, 3, 24, 32).float()
    small, smaller = growing.batch(images, mask, 0)
    assert small.shape[-2:] == smaller.shape[-2:] == (12, 16)
    assert set(smaller.unique().tolist()) <= set(mask.unique().tolist())
    assert torch.equal(growing.batch(images, mask, 1)[1], mask)
    assert trained(tmp_path / "run", text).epochs == 2
