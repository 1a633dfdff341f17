"""Normalizations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
)
from dotcnn.compiler.shapes import Shape
from ops.conformance import attempt, build, conform, maps, operations, refuses, vectors

SHAPES = maps(st.sampled_from([1, 4, 6]), side=5) | vectors()


def total(op: Op, shape: Shape) -> dict[str, int]:
    """Numbers that are trained, and others."""
    sizes = [(w.trainable, torch.Size(w.shape).numel()) for w in op.weights(shape)]
    return {
        "trained": sum(size for trained, size in sizes if trained),
        "kept": sum(size for trained, size in sizes if not trained),
    }


# The statistics of a group or an image tie its pixels together, of which receptive fields say
# nothing: of these layers it would be wrong to ask which pixels have an influence.
BY_STATISTICS = None


@given(operations(BatchNorm), SHAPES)
def test_any_bn(op: BatchNorm, shape: Shape) -> None:
    # Without running averages, evaluation goes by the batch.
    attempt(op, shape, probe="gradient" if op.track else BY_STATISTICS)


@given(operations(GroupNorm), SHAPES)
def test_any_gn(op: GroupNorm, shape: Shape) -> None:
    attempt(op, shape, probe=BY_STATISTICS)


@given(operations(LayerNorm), SHAPES)
def test_any_ln(op: LayerNorm, shape: Shape) -> None:
    # Of a single channel nothing is left, so that nothing is seen.
    attempt(op, shape, probe="gradient" if shape[0] > 1 else None)


@given(operations(InstanceNorm), SHAPES)
def test_any_instancenorm(op: InstanceNorm, shape: Shape) -> None:
    # What torch makes of a vector is an image of one row.
    attempt(op, shape, probe=BY_STATISTICS, stricter="needs a map")


@given(
    operations(
        LocalResponseNorm,
        alpha=st.floats(0, 0.5),
        beta=st.sampled_from([0.5, 0.75, 1.0, 2.0]),
        k=st.floats(0.5, 2),
    ),
    SHAPES,
)
def test_any_lrn(op: LocalResponseNorm, shape: Shape) -> None:
    attempt(op, shape)


def test_bn_is_not_what_its_name_says_on_vectors() -> None:
    assert str(BatchNorm().torch((64, 8, 8), (64, 8, 8)).module) == "nn.BatchNorm2d(64)"
    assert str(BatchNorm(eps=1e-3).torch((64,), (64,)).module) == "nn.BatchNorm1d(64, eps=0.001)"


def test_parameters() -> None:
    assert total(BatchNorm(), (64, 8, 8)) == {"trained": 128, "kept": 129}
    assert total(BatchNorm(affine=False), (64, 8, 8)) == {"trained": 0, "kept": 129}
    assert total(BatchNorm(track=False), (64, 8, 8)) == {"trained": 128, "kept": 0}
    assert total(GroupNorm(groups=8), (64, 8, 8)) == {"trained": 128, "kept": 0}
    assert total(InstanceNorm(), (64, 8, 8)) == {"trained": 0, "kept": 0}
    assert total(LocalResponseNorm(), (64, 8, 8)) == {"trained": 0, "kept": 0}


def test_explanations() -> None:
    arriving = (64, 8, 8)
    assert BatchNorm().explain(arriving, arriving) == [
        (
            "each number",
            "(x - mean)/sqrt(variance + 1e-05) * weight + bias, of a channel over the batch",
        ),
        ("parameters", "64 of weight + 64 of bias = 128"),
        ("not trained", "64 means, 64 variances, a count of batches"),
    ]
    assert GroupNorm(groups=4, affine=False).explain(arriving, arriving) == [
        ("each number", "(x - mean)/sqrt(variance + 1e-05), of 16*8*8 numbers")
    ]
    assert LocalResponseNorm(k=2.0).explain(arriving, arriving) == [
        ("each number", "x/(2 + 0.0001/5 * the sum of 5 squares)^0.75")
    ]


@pytest.mark.parametrize("shape", [(6, 4, 5), (6,)])
def test_ln_normalises_channels(shape: Shape) -> None:
    x = torch.randn(2, *shape) * 3 + 1
    after = conform(LayerNorm(eps=1e-9), shape).forward(x)
    assert torch.allclose(after.mean(1), torch.zeros(()), atol=1e-5)
    assert torch.allclose(after.var(1, correction=0), torch.ones(()), atol=1e-4)


def test_what_normalisations_refuse() -> None:
    told = refuses(GroupNorm(groups=32), (48, 8, 8), match="48 input channels .* 32 groups")
    assert "`gn 24` would" in told
    refuses(InstanceNorm(), (8, 1, 1), match="each number is its own mean")
    refuses(LocalResponseNorm(), (8,), match="`lrn` needs a map")


@pytest.mark.parametrize("shape", [(6, 5, 5), (6,)])
def test_a_bn_may_learn_a_bias_only(shape: Shape) -> None:
    """As `affine=True` with a weight that stays 1, under the same names."""
    op = BatchNorm(affine="bias", momentum=0.4)
    assert total(op, shape) == {"trained": 6, "kept": 6 + 6 + 6 + 1}
    module = build(op, shape).module
    assert module is not None
    name = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
    plain = getattr(torch.nn, name)(6, momentum=0.4)
    assert module.state_dict().keys() == plain.state_dict().keys()
    assert len(list(module.parameters())) == 1
    images = torch.randn(4, *shape)
    torch.testing.assert_close(module(images), plain(images))
