"""Trained weights of others, brought into emitted modules: as often right as they are published to
be. Layers of one shape exchanged, or norms set otherwise, would show.

All come as mere tensors. The convolutions of most have one shape several times over, so that their
order or their names decide.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dotcnn
from dotcnn.training.weights.match import match
from dotcnn.training.weights.read import read_weights
from support import shared


def trained(name: str, weights: str) -> nn.Module:
    """The emitted module of a spec of the gallery with these weights, all of them."""
    network = dotcnn.compile(name)
    found = match(network, read_weights(shared(f"weights/{weights}")))
    found.require_complete()
    assert not found.having("ambiguous", "unused")
    module = dotcnn.load(network)
    found.load_into(module)
    return module.eval()


# ---- CIFAR-10 -----------------------------------------------------------------------------------


def as_it_is(images: Tensor) -> Tensor:
    """0..255, as it learned."""
    return images


def as_of_imagenet(images: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images / 255 - mean[:, None, None]) / std[:, None, None]


CIFAR = [
    ("resnet8", "resnet8_cifar10/resnet8_cifar10.npz", as_it_is, 1759),
    ("resnet20", "resnet_cifar10/resnet20-12fca82f.th", as_of_imagenet, 1834),
    ("resnet32", "resnet_cifar10/resnet32-d509ac18.th", as_of_imagenet, 1854),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "weights", "prepared", "right"), CIFAR)
def test_as_many_test_images_are_right_as_should_be(
    name: str, weights: str, prepared: Callable[[Tensor], Tensor], right: int
) -> None:
    """Of 2,000."""
    module = trained(name, weights)
    data = numpy.load(shared("data/cifar10_8k_2k.npz"))
    images = torch.from_numpy(data["x_test"]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        found = torch.cat([module(prepared(batch)).argmax(1) for batch in images.split(250)])
    assert int((found == torch.from_numpy(data["y_test"])).sum()) == right


@pytest.mark.parametrize(("name", "weights"), [(name, weights) for name, weights, *_ in CIFAR])
def test_files_of_trained_weights_are_matched_in_full(name: str, weights: str) -> None:
    trained(name, weights)


# ---- ants and bees ------------------------------------------------------------------------------


class Labelled(NamedTuple):
    images: Tensor
    """0..255, as floating point."""
    bees: Tensor


def ants_and_bees(part: str) -> Labelled:
    """The middle of each image, 224 pixels square."""
    images, bees = [], []
    with zipfile.ZipFile(shared("data/hymenoptera_256.zip")) as archive:
        for name in sorted(archive.namelist()):
            if f"{part}/" in name and name.endswith(".jpg"):
                image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
                left, top = ((length - 224) // 2 for length in image.size)
                pixels = numpy.array(image.crop((left, top, left + 224, top + 224)))
                images.append(torch.from_numpy(pixels).permute(2, 0, 1).float())
                bees.append("bees/" in name)
    return Labelled(torch.stack(images), torch.tensor(bees))


def blue_first(images: Tensor) -> Tensor:
    return images.flip(1) - torch.tensor([104.0, 117.0, 123.0])[:, None, None]


def from_0_to_1(images: Tensor) -> Tensor:
    return images / 255


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "prepared", "share"),
    [
        ("squeezenet1_0", "squeezenet1_0/squeezenet_v1.0_dc_decoded.npz", blue_first, 0.90),
        ("tiny_darknet", "tiny_darknet/tinydarknet.npz", from_0_to_1, 0.88),
    ],
)
def test_a_linear_classifier_on_what_they_see_tells_ants_from_bees(
    name: str, weights: str, prepared: Callable[[Tensor], Tensor], share: float
) -> None:
    """Their thousand classes have no ants and bees in these folders, but their features do."""
    module = trained(name, weights)
    before, after = ants_and_bees("train"), ants_and_bees("val")
    known, seen = (features(module, prepared(part.images)) for part in (before, after))
    mean, std = known.mean(0), known.std(0) + 1e-6
    classifier = fitted((known - mean) / std, before.bees.float())
    found = classifier((seen - mean) / std)[:, 0] > 0
    assert float((found == after.bees).float().mean()) >= share


def features(module: nn.Module, images: Tensor) -> Tensor:
    """The average of each channel, before the last convolution makes classes of them."""
    *_, last = (inner for inner in module.modules() if isinstance(inner, nn.Conv2d))
    found: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].mean((2, 3))))
    with torch.no_grad():
        for batch in images.split(32):
            module(batch)
    hook.remove()
    return torch.cat(found)


def fitted(inputs: Tensor, targets: Tensor) -> nn.Linear:
    """Logistic regression, its weights held small."""
    linear = nn.Linear(inputs.shape[1], 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=200)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(linear(inputs)[:, 0], targets)
        loss = loss + 0.01 * linear.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return linear
