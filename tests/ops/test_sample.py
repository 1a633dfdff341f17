"""`sample`: numbers drawn from distributions that a network computes."""

from __future__ import annotations

import pytest
import torch

import dotcnn
from dotcnn.compiler.ops.sample import Sample
from ops.conformance import build, conform, refuses


def test_in_evaluation_it_returns_the_means() -> None:
    built = build(Sample(), (6, 2, 2))
    built.train(False)
    x = torch.randn(3, 6, 2, 2)
    assert built.forward(x).equal(x[:, :3])


def test_mean_and_deviation_are_those_of_the_channels() -> None:
    torch.manual_seed(0)
    x = torch.tensor([1.0, -2.0, 0.0, 2.0]).expand(20_000, 4)
    drawn = build(Sample(), (4,)).forward(x)
    assert drawn.mean(0).tolist() == pytest.approx([1, -2], abs=0.06)
    assert drawn.std(0).tolist() == pytest.approx([1, torch.e], rel=0.03)


def test_half_of_the_channels() -> None:
    assert Sample().output((8,)) == (4,)
    assert refuses(Sample(), (7,), stricter=True).startswith("`sample` reads as many means")


@pytest.mark.parametrize("shape", [(8,), (4, 5), (4, 5, 3), (2, 3, 2, 2)])
def test_it_is_what_torch_computes(shape: tuple[int, ...]) -> None:
    conform(Sample(), shape)


def test_what_follows_does_not_overwrite_the_means() -> None:
    """They are a part of what the other path of `concat` reads."""
    spec = "network N { input 3x8x8, conv 8 3x3 same, concat {\n| sample, relu\n|\n} }"
    module = dotcnn.load(dotcnn.compile(spec)).eval()
    x = torch.randn(2, 3, 8, 8)
    maps = module.conv(x)
    assert module(x).equal(torch.cat([maps[:, :4].relu(), maps], 1))


def test_the_encoder_of_the_gallery_gives_both_and_the_code() -> None:
    module = dotcnn.load("vae_encoder").eval()
    found = module(torch.randn(2, 1, 28, 28))
    assert found.code.equal(found.distribution[:, :20])
