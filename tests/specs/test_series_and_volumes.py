"""Networks for sound, other series, clips of video and scans: their figures are those of papers;
those that torchvision has too compute the same.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.training.inference.load import construct
from measured import torchvision_models
from networks import gallery

from .written_out import WRITTEN_OUT

PUBLISHED = {
    "r3d_18": (33_371_472, "40.697"),
    "mc3_18": (11_695_440, "43.343"),
    "r2plus1d_18": (31_505_325, "40.519"),
    "s3d": (8_320_048, "17.979"),
}
"""Parameters and billions of multiply-adds, as torchvision states them."""
CLIPS = {"s3d": (3, 16, 224, 224)}
"""Other clips are small."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures(name: str) -> None:
    totals = analyse(gallery(f"video/{name}")).totals
    assert (totals.params, f"{totals.macs / 1e9:.3f}") == PUBLISHED[name]


def test_figures_of_papers() -> None:
    assert analyse(gallery("scans/unet3d")).totals.params == 19_069_955
    assert analyse(gallery("scans/resnet50_med3d")).totals.params - 4098 == 46_155_072
    assert gallery("scans/unet3d").output.shape == (3, 28, 44, 44)
    keywords = analyse(gallery("series/ds_cnn")).totals
    assert (keywords.params, keywords.params + keywords.buffers - 9) == (23_756, 24_908)
    c3d = analyse(gallery("video/c3d")).totals
    assert (c3d.params - 4097 * (487 - 101), f"{c3d.macs / 1e9:.1f}") == (78_409_573, "38.5")


def test_ten_layers_of_two_taps_see_1024_steps() -> None:
    network = gallery("series/dilated")
    fields = analyse(network).fields
    ends = [node for node in network.nodes if node.op.word == "add"]
    assert [fields[ends[n].index].size for n in (9, 19, 29)] == [(1025,), (2048,), (3071,)]
    first = fields[ends[-1].index][0]
    assert first.at(5000) == (5000 - 3070, 5000)


def filled(model: nn.Module) -> None:
    """Weights and statistics that are all different."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            low = 0.5 if name.endswith("running_var") else -0.05
            value.uniform_(low, low + 0.1, generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_outputs(name: str) -> None:
    """Of those that torchvision has."""
    theirs: nn.Module = getattr(torchvision_models().video, name)()
    same_outputs(f"video/{name}", theirs, CLIPS.get(name, (3, 8, 48, 48)))


SLOW = ("scans/resnet50_med3d",)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in WRITTEN_OUT],
)
def test_outputs_of_those_that_are_written_out(name: str) -> None:
    make, shape = WRITTEN_OUT[name]
    same_outputs(name, make(), shape)


def same_outputs(name: str, theirs: nn.Module, shape: tuple[int, ...]) -> None:
    """With their weights, one after the other."""
    theirs = theirs.double().eval()
    network = gallery(name, input_shape=shape)
    ours = construct(dotcnn.emit(network), network.name).double().eval()
    with torch.no_grad():
        filled(theirs)
        weights = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        for mine, other in weights:
            mine.copy_(other)
        inputs = torch.randn(2, *shape, dtype=torch.float64)
        found, expected = ours(inputs), theirs(inputs)
    assert expected.std() > 1e-3
    assert torch.equal(found, expected)
