"""What the input of a network is and what it has to answer: pairs of files and arrays, images that
are made worse, images themselves; in training and in evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.restoration.augment import AugmentPairs

from ..mask_sets import save

NETWORK = """
let scale = {scale}
network Net {{
  input {channels}x{size}
  conv {answers}*scale*scale 3x3 same
  pixel_shuffle scale
}}
"""


def opened(
    base: Path,
    train: str,
    rest: str = "",
    *,
    size: str = "16x16",
    scale: int = 1,
    channels: int = 3,
    answers: int = 3,
) -> Opened:
    network = NETWORK.format(scale=scale, size=size, channels=channels, answers=answers)
    text = f"{network}train {{\n{train}\n}}\n{rest}"
    return open_data(plan(dotcnn.compile(text)), base)


def coordinates(height: int, width: int, times: int = 1) -> numpy.ndarray:
    """An image whose red and green say where each pixel is; with `times`, larger by so much."""
    rows, columns = (numpy.arange(side).repeat(times) for side in (height, width))
    image = numpy.zeros((times * height, times * width, 3), numpy.uint8)
    image[..., 0], image[..., 1] = 4 * rows[:, None], 4 * columns
    return image


def pairs(root: Path, layout: str, count: int = 6, times: int = 1, size: int = 24) -> None:
    """Inputs in which blue is 200, and targets in which it is 0."""
    one, other = layout.split()
    for number in range(count):
        image = coordinates(size, size + 8)
        image[..., 2] = 200
        save(root / one.format(number), image)
        save(root / other.format(number), coordinates(size, size + 8, times))


@pytest.mark.parametrize(
    "layout",
    [
        "noisy/{}.png clean/{}.png",
        "input/a{}.png target/a{}_gt.png",
        "{0}.png {0}_clean.png",
        "train/low/{}.png train/high/{}.png",
        "blurry/train/{}.png sharp/train/{}.png",
        "one/{}.png wanted/{}.png",
    ],
)
def test_pairs_are_found(tmp_path: Path, layout: str) -> None:
    pairs(tmp_path, layout)
    named = ' target="wanted"' if "wanted" in layout else ""
    data = opened(tmp_path, f'data folder "."{named}\nloss l1')
    assert data.task.word == "image_to_image"
    image, target = data.input_and_target("val", 0)
    assert (image[2] == 200).all()
    assert (target[2] == 0).all()
    assert torch.equal(image[:2], target[:2])
    assert any("pairs" in line for line in data.dataset.lines())


def test_a_file_without_a_partner_is_named_and_left_out(tmp_path: Path) -> None:
    pairs(tmp_path, "noisy/{}.png clean/{}.png")
    (tmp_path / "clean" / "3.png").unlink()
    save(tmp_path / "clean" / "alone.png", coordinates(24, 24))
    lines = "\n".join(opened(tmp_path, 'data folder "."\nloss l1').dataset.lines())
    assert "1 image has no target: 3.png" in lines
    assert "1 target has no image: alone.png" in lines


def test_a_target_of_another_size_is_named(tmp_path: Path) -> None:
    pairs(tmp_path, "noisy/{}.png clean/{}.png")
    save(tmp_path / "clean" / "2.png", coordinates(24, 30))
    with pytest.raises(SpecError) as error:
        opened(tmp_path, 'data folder "."\nloss l1')
    (found,) = error.value.diagnostics
    assert "2.png: its target has 30 x 24 pixels, and the image 32 x 24" in "\n".join(found.notes)
    assert len(opened(tmp_path, 'data folder "." bad=50%\nloss l1').stores["train"]) == 4


def test_a_table_names_pairs(tmp_path: Path) -> None:
    pairs(tmp_path, "a/{}.png b/{}.png")
    rows = "".join(f"a/{n}.png,b/{n}.png\n" for n in range(6))
    (tmp_path / "t.csv").write_text(f"image,label\n{rows}a/0.png,b/none.png\n")
    data = opened(tmp_path, 'data table "t.csv" image=image label=label bad=20%\nloss l1')
    image, target = data.input_and_target("train", 0)
    assert (int(image[2].min()), int(target[2].max())) == (200, 0)
    assert "there is no target b/none.png" in "\n".join(data.dataset.lines())


@pytest.mark.parametrize("folders", ["photos/{}.png", "cat/{}.png dog/{}.png"])
def test_without_pairs_images_are_their_own_targets(tmp_path: Path, folders: str) -> None:
    for layout in folders.split():
        for number in range(4):
            save(tmp_path / layout.format(number), coordinates(40, 32))
    data = opened(tmp_path, 'data folder "."\nloss mse')
    image, target = data.input_and_target("val", 0)
    assert torch.equal(image, target)
    # The whole image is learned: it is resized, not only its middle.
    assert int(image[1].min()) < 4 * 3
    assert int(image[1].max()) > 4 * 28
    worse = opened(tmp_path, 'data folder "."\ndegrade noise 25')
    noisy, target = worse.input_and_target("val", 0)
    assert 18 < float((noisy.float() - target.float()).std()) < 27
    # Its pixels count: it keeps its size, and the middle is seen.
    assert sorted({*target[1].flatten().tolist()}) == [4 * place for place in range(8, 24)]


def test_arrays_are_pairs_or_their_own_targets(tmp_path: Path) -> None:
    images = numpy.random.default_rng(0).integers(0, 255, (12, 16, 16, 3)).astype(numpy.uint8)
    numpy.savez(tmp_path / "p.npz", noisy_train=images, clean_train=255 - images)
    data = opened(tmp_path, 'data npz "p.npz"\nloss l1')
    image, target = data.input_and_target("val", 1)
    assert torch.equal(image, 255 - target)
    numpy.savez(tmp_path / "c.npz", x_train=images, y_train=numpy.arange(12) % 3)
    data = opened(tmp_path, 'data npz "c.npz"\nloss l1')
    image, target = data.input_and_target("val", 1)
    assert torch.equal(image, target)
    colors = opened(tmp_path, 'data npz "c.npz"\ndegrade gray', channels=1)
    gray, target = colors.input_and_target("val", 1)
    assert (len(gray), len(target)) == (1, 3)


def test_in_evaluation_an_image_is_always_made_worse_in_the_same_way(tmp_path: Path) -> None:
    images = numpy.full((40, 16, 16, 3), 128, numpy.uint8)
    numpy.savez(tmp_path / "c.npz", x_train=images)
    words = 'data npz "c.npz"\ndegrade noise 5..60\nbatch {}\nseed {}'
    one, other = (opened(tmp_path, words.format(*each)) for each in ((8, 0), (5, 7)))
    first = torch.cat([batch.images for batch in one.evaluation()(0)])
    again = torch.cat([batch.images for batch in other.evaluation()(3)])
    assert torch.equal(first, again)
    spread = first.float().flatten(1).std(1)
    assert float(spread.min()) < 20
    assert float(spread.max()) > 35

    def trained(epoch: int) -> Tensor:
        assert one.pairs is not None
        augment = AugmentPairs(one.plan, one.preparation, one.pairs, reuse=False)
        batch = next(iter(one.training()(0)))
        return augment(*batch, epoch)[0]

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


@pytest.mark.parametrize("of_files", [True, False])
@pytest.mark.parametrize("augment", ["", "crop", "crop, flip both"])
def test_crops_of_smaller_images_and_targets_show_the_same(
    tmp_path: Path, of_files: bool, augment: str
) -> None:
    """The target is three times as large, and each of its pixels says where it comes from."""
    if of_files:
        pairs(tmp_path, "low/{}.png high/{}.png", times=3)
        words = 'data folder "."'
    else:
        image, target = coordinates(24, 24), coordinates(24, 24, 3)
        numpy.savez(tmp_path / "p.npz", x_train=[image] * 8, y_train=[target] * 8)
        words = 'data npz "p.npz"'
    rest = f"augment {{ {augment} }}" if augment else ""
    data = opened(tmp_path, f"{words}\nloss l1\nbatch 4", rest, scale=3)
    assert data.pairs is not None
    prepare = AugmentPairs(data.plan, data.preparation, data.pairs, reuse=False)
    places = set()
    for epoch in range(3):
        for batch in data.training()(epoch):
            inputs, targets = prepare(*batch, epoch)
            assert inputs.shape[-2:] == (16, 16)
            assert targets.shape[-2:] == (48, 48)
            seen = (inputs[:, :2] * 255).round()
            assert torch.equal(seen.repeat_interleave(3, 2).repeat_interleave(3, 3), targets[:, :2])
            places |= {*inputs[:, 0, 0, 0].tolist()}
    assert len(places) > 1 or not of_files


def test_geometry_and_colors_change_both_and_noise_only_the_input(tmp_path: Path) -> None:
    image = coordinates(16, 16)
    image[..., 2] = 100
    numpy.savez(tmp_path / "p.npz", x_train=[image] * 8, y_train=[image] * 8)
    words = 'data npz "p.npz"\nloss l1\nbatch 4'
    same = "rotate 30, shift 0.1, crop scale=50%..100%, color brightness=0.3 contrast=0.3, mixup"
    for augment, equal in ((same, True), ("noise 0.1", False), ("erase p=1", False)):
        data = opened(tmp_path, words, f"augment {{ {augment} }}")
        assert data.pairs is not None
        prepare = AugmentPairs(data.plan, data.preparation, data.pairs, reuse=False)
        batches = data.training()
        batches.guests = prepare.guests
        batch = next(iter(batches(0)))
        inputs, targets = prepare(*batch, 0)
        near = torch.allclose(inputs, targets / 255, atol=0.51 / 255)
        assert near == equal, augment
        if not equal:
            assert torch.equal(targets[0].to(torch.uint8), torch.tensor(image).permute(2, 0, 1))
        else:
            assert not torch.equal(targets[0].round(), batch.labels[0].float())


def test_steps_are_taken_in_their_order(tmp_path: Path) -> None:
    random = numpy.random.default_rng(0)
    images = random.integers(0, 255, (8, 16, 16, 3)).astype(numpy.uint8)
    numpy.savez(tmp_path / "c.npz", x_train=images)
    small = opened(tmp_path, 'data npz "c.npz"\ndegrade downscale 2', size="8x8", scale=2)
    image, target = small.input_and_target("train", 0)
    assert (image.shape[-1], target.shape[-1]) == (8, 16)
    enlarged = opened(tmp_path, 'data npz "c.npz"\ndegrade downscale 2')
    image, target = enlarged.input_and_target("train", 0)
    assert image.shape == target.shape
    details = [float(each.float().diff(dim=2).abs().mean()) for each in (image, target)]
    assert details[0] < details[1] / 3
    blur, noise = "degrade blur 1..2", "degrade noise 60"
    rough = []
    for steps in (f"{blur}\n{noise}", f"{noise}\n{blur}\ndegrade jpeg 95"):
        made = opened(tmp_path, f'data npz "c.npz"\n{steps}').input_and_target("train", 0)[0]
        rough.append(float(made.float().diff(dim=2).abs().mean()))
    assert rough[0] > 2 * rough[1]


def test_images_smaller_than_the_input_are_named(tmp_path: Path) -> None:
    for number, side in enumerate((24, 24, 24, 24, 24, 10)):
        save(tmp_path / "p" / f"{number}.png", coordinates(side, 24))
    with pytest.raises(SpecError) as error:
        opened(tmp_path, 'data folder "p"\ndegrade noise 25')
    (found,) = error.value.diagnostics
    assert "5.png: 24 x 10 pixels, fewer than the 16 x 16" in "\n".join(found.notes)
    images = numpy.zeros((8, 12, 12, 3), numpy.uint8)
    numpy.savez(tmp_path / "c.npz", x_train=images)
    with pytest.raises(SpecError, match="the images have 12x12 pixels, and the network takes 16"):
        opened(tmp_path, 'data npz "c.npz"\ndegrade noise 25')


def test_folders_of_classes_or_masks_and_a_network_of_images_show_both_ways(
    tmp_path: Path,
) -> None:
    pairs(tmp_path, "noisy/{}.png clean/{}.png")
    (tmp_path / "net.cnn").write_text(
        NETWORK.format(scale=1, size="16x16", channels=3, answers=3)
        + 'train { data folder ".", epochs 1 }'
    )
    with pytest.raises(SpecError) as error:
        dotcnn.train(tmp_path / "net.cnn", output=tmp_path / "run", device="cpu")
    (found,) = error.value.diagnostics
    assert "`loss l1`" in found.help
    assert "masks" in found.help


def test_files_are_read_as_pillow_reads_them(tmp_path: Path) -> None:
    pairs(tmp_path, "noisy/{}.png clean/{}.png", count=4)
    Image.open(tmp_path / "clean" / "1.png").convert("L").save(tmp_path / "clean" / "1.png")
    data = opened(tmp_path, 'data folder "."\nloss l1', answers=1)
    image, target = data.input_and_target("train", 0)
    assert (len(image), len(target)) == (3, 1)
    assert data.dataset.classes == ("gray",)
