"""`airbench94` against its training written from the description in the paper (Jordan, 2024,
arXiv:2404.00498): the same images in the same order, with the same draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dotcnn
from dotcnn.training.augment import augmenter
from dotcnn.training.data.loader.order import permutation
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.arrays_given import ArrayData
from dotcnn.training.inference.load import live
from dotcnn.training.optim.whitening import principal_filters
from dotcnn.training.page import write as page
from dotcnn.training.saved_request import request_of
from dotcnn.training.trainer import setup
from dotcnn.training.weights.read import read_weights

from ..small import Looker, equal, gone_on, last

pytestmark = pytest.mark.usefixtures("no_report")

WIDTH, IMAGES, BATCH, EPOCHS, SEED = 4, 72, 16, 2.8, 5
STEPS = IMAGES // BATCH  # of an epoch: its last 8 images are left out
TOTAL = math.ceil(STEPS * EPOCHS)
CHANGES = {
    "width": WIDTH, "train.epochs": EPOCHS, "train.seed": SEED, "train.freeze_after": "1 whiten",
    "train.batch": f"{BATCH} drop_last", "train.precision": "fp32",
}  # fmt: skip
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)


def images_and_labels(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=generator)
    images = F.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1) * 255
    return images.to(torch.uint8), torch.arange(count) % 10


DATA = {"train": images_and_labels(IMAGES, 0), "val": images_and_labels(20, 1)}


def run(folder: Path, callback: Looker | None = None) -> None:
    dotcnn.train(
        "airbench94", data=DATA, set=CHANGES, output=folder, device="cpu",
        callback=callback or Looker(),
    )  # fmt: skip


# ---- the network, by hand --------------------------------------------------------------------


class Group(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, padding="same", bias=False)
        self.first_norm = nn.BatchNorm2d(width, eps=1e-12, momentum=1 - 0.6)
        self.second = nn.Conv2d(width, width, 3, padding="same", bias=False)
        self.second_norm = nn.BatchNorm2d(width, eps=1e-12, momentum=1 - 0.6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.first_norm(F.max_pool2d(self.first(x), 2)))
        return F.gelu(self.second_norm(self.second(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.groups = nn.Sequential(Group(24, WIDTH), Group(WIDTH, 4 * WIDTH),
                                    Group(4 * WIDTH, 4 * WIDTH))  # fmt: skip
        self.head = nn.Linear(4 * WIDTH, 10, bias=False)
        for part in self.groups.modules():
            if isinstance(part, nn.Conv2d):
                inputs = part.in_channels
                with torch.no_grad():
                    part.weight[:inputs] = 0
                    for channel in range(min(inputs, part.out_channels)):
                        part.weight[channel, channel, 1, 1] = 1
            if isinstance(part, nn.BatchNorm2d):
                part.weight.requires_grad = False
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.groups(F.gelu(self.whiten(x)))
        return self.head(F.max_pool2d(x, 3).flatten(1)) / 9  # type: ignore[no-any-return]


def normalized(images: Tensor) -> Tensor:
    return (images.float() / 255 - MEAN) / STD


def whitening(images: Tensor) -> Tensor:
    """Principal components of all 2x2 patches, the largest first, at unit variance."""
    patches = torch.stack(
        [images[:, :, y : y + 31, x : x + 31] for y in (0, 1) for x in (0, 1)], dim=2
    )  # images x channels x 4 x 31 x 31
    flat = patches.permute(0, 3, 4, 1, 2).reshape(-1, 12).double()
    variances, components = torch.linalg.eigh(flat.T @ flat / len(flat))
    found = (components / (variances + 5e-4).sqrt()).T.flip(0)
    return found.reshape(12, 3, 2, 2).float()


def views(image: Tensor) -> Tensor:
    """An image as it is and mirrored, each moved by up to two pixels in both directions: 2 x 25."""
    padded = F.pad(torch.stack([image, image.flip(-1)]), (2, 2, 2, 2), mode="reflect")
    moved = [padded[:, :, y : y + 32, x : x + 32] for y in range(5) for x in range(5)]
    return torch.stack(moved, 1)


def by_hand(opened: Opened, augment: nn.Module) -> Net:
    images, labels = DATA["train"]
    torch.manual_seed(SEED)
    net = Net().double()
    ours = principal_filters(opened, (2, 2), 12)
    filters = whitening(normalized(images))
    signs = (filters * ours).sum((1, 2, 3)).sign()  # that of a component is arbitrary
    filters *= signs.view(-1, 1, 1, 1)
    torch.testing.assert_close(filters, ours, atol=2e-3, rtol=1e-2)
    with torch.no_grad():
        net.whiten.weight.copy_(torch.cat([ours, -ours]))
    net.whiten.weight.requires_grad = False

    # The rate of a sum over a batch, and a decay that does not depend on the rate.
    factor = 1 + 1 / (1 - 0.85)
    rate = 11.5 / (BATCH * factor)
    decay = 0.0153 / factor
    biases = [p for n, p in net.named_parameters() if "norm" in n and p.requires_grad]
    others = [p for n, p in net.named_parameters() if "norm" not in n and p.requires_grad]
    optimizer = torch.optim.SGD(
        [
            {"params": biases, "lr": 64 * rate, "weight_decay": decay / (64 * rate)},
            {"params": others, "lr": rate, "weight_decay": decay / rate},
        ],
        momentum=0.85, nesterov=True,
    )  # fmt: skip

    def triangle(step: int) -> float:
        top = int(0.23 * TOTAL)
        if step < top:
            return 0.2 + (1 - 0.2) * step / top
        return 1 + (0.07 - 1) * (step - top) / (TOTAL - top)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, triangle)
    slow = {name: value.clone() for name, value in net.state_dict().items()}
    every_flip: dict[int, int] = {}
    step = 0
    for epoch in range(math.ceil(EPOCHS)):
        assert net.whiten.bias is not None
        net.whiten.bias.requires_grad = epoch < 1
        net.train()
        for chosen in permutation(IMAGES, SEED, epoch)[: STEPS * BATCH].split(BATCH):
            drawn, _ = augment(images[chosen], labels[chosen], chosen, epoch)
            for index, image in zip(chosen.tolist(), drawn, strict=True):
                apart = (normalized(views(images[index].float())) - image).abs().amax((2, 3, 4))
                ((flipped, _),) = (apart < 1e-5).nonzero().tolist()
                first = every_flip.setdefault(index, flipped ^ (epoch % 2))
                assert flipped == first ^ (epoch % 2)
            loss = F.cross_entropy(
                net(drawn.double()), labels[chosen], label_smoothing=0.2, reduction="sum"
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            now = net.state_dict()
            if step % 5 == 0:
                keep = 0.95**5 * (step / TOTAL) ** 3
                for name, value in slow.items():
                    if value.is_floating_point():
                        value.copy_(keep * value + (1 - keep) * now[name])
                        now[name].copy_(value)
            if step == TOTAL:
                for name, value in slow.items():
                    if value.is_floating_point():
                        now[name].copy_(value)
                return net
    raise AssertionError("the last epoch is not complete")


@pytest.fixture(scope="module", autouse=True)
def in_double_precision() -> Iterator[None]:
    """Max pooling makes training chaotic: in float32, rounding alone decides after a few steps. No
    report is written: it calls layers by themselves, on images in float32."""

    def doubled(*arguments: Any) -> nn.Module:
        module = live(*arguments).double()
        module.register_forward_pre_hook(lambda _, images: images[0].double())
        return module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "live", doubled)
        patch.setattr(page, "write_report", lambda folder, *others: folder / page.NAME)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("airbench") / "run"
    looker = Looker()
    run(path, looker)
    assert len(looker.steps) == TOTAL
    return path


def opened(folder: Path) -> Opened:
    request = request_of(folder, [], ArrayData.of(DATA))
    return open_data(request.plan, request.base, arrays=request.arrays)


def test_a_run_is_the_loop_of_the_paper(folder: Path) -> None:
    data = opened(folder)
    augment = augmenter(data.plan, data.preparation)
    assert augment is not None
    net = by_hand(data, augment)
    found = last(folder)
    expected = net.state_dict()
    names = {
        "whiten": "whiten", "fc": "head",
        **{
            f"group{n + 1}.{ours}": f"groups.{n}.{theirs}"
            for n in range(3)
            for ours, theirs in (
                ("conv1", "first"), ("conv2", "second"), ("bn1", "first_norm"),
                ("bn2", "second_norm"),
            )
        },
    }  # fmt: skip
    assert len(found) == len(expected)
    for name, value in found.items():
        layer, _, tensor = name.rpartition(".")
        torch.testing.assert_close(value, expected[f"{names[layer]}.{tensor}"])


@pytest.mark.slow
def test_it_is_continued_where_it_was_interrupted(folder: Path, tmp_path: Path) -> None:
    run(tmp_path / "parts", Looker(stop_after=7))
    gone_on(tmp_path / "parts", data=DATA, callback=Looker())
    assert equal(last(tmp_path / "parts"), last(folder))


def test_predictions_are_averaged_as_in_the_paper(folder: Path) -> None:
    """Logits of the image and its mirror image; half of them for both moved by a pixel."""
    images, _ = DATA["val"]
    found = dotcnn.evaluate(folder, data=DATA, tta=True, device="cpu").probabilities
    module = live(request_of(folder, [], ArrayData.of(DATA)).network, dotcnn.__version__)
    module.load_state_dict(read_weights(folder / "best.safetensors"))
    module.eval()

    def mirrored(x: Tensor) -> Tensor:
        return (module(x) + module(x.flip(-1))) / 2  # type: ignore[no-any-return]

    with torch.no_grad():
        x = normalized(images)
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        moved = mirrored(padded[:, :, :32, :32]) / 2 + mirrored(padded[:, :, 2:, 2:]) / 2
        expected = (mirrored(x) / 2 + moved / 2).softmax(1)
    torch.testing.assert_close(torch.as_tensor(found), expected, atol=1e-5, rtol=1e-4)
