"""Dropout of numbers, channels and branches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from dotcnn.compiler.ops.base import Kept
from dotcnn.compiler.ops.dropout import Dropout, Dropout2d, DropPath
from ops.conformance import attempt, build, conform, maps, operations, refuses, vectors

ALL = [Dropout, Dropout2d, DropPath]
SHAPE = (8, 4, 4)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.word)
def test_never_active_in_evaluation(kind):
    built = build(kind(p=0.9), SHAPE)
    built.train(False)
    x = torch.randn(4, *SHAPE)
    assert built.forward(x).equal(x)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.word)
@pytest.mark.parametrize("p", [0.0, 0.25, 0.75])
def test_the_mean_does_not_change(kind, p):
    torch.manual_seed(0)
    result = build(kind(p=p), SHAPE).forward(torch.ones(4000, *SHAPE))
    assert set(result.unique().tolist()) == ({0.0, 1 / (1 - p)} if p else {1.0}) or p == 0.25
    assert abs(result.mean() - 1) < 0.12  # five standard deviations of what varies most
    assert_close(result.max().item(), 1 / (1 - p))


def test_what_goes_together():
    torch.manual_seed(0)
    x = torch.ones(64, *SHAPE)
    numbers, channels, images = (build(kind(), SHAPE).forward(x) for kind in ALL)
    assert images.flatten(1).std(1).eq(0).all()
    assert 0 < images[:, 0, 0, 0].count_nonzero() < 64
    assert channels.flatten(2).std(2).eq(0).all()
    assert channels[:, :, 0, 0].std(1).gt(0).any()
    assert numbers.flatten(2).std(2).gt(0).all()


def test_kept():
    """On the CPU, a factor for each number, channel or image that is drawn for; nothing for p=0."""
    assert Dropout().kept(SHAPE, SHAPE) == Kept(own=128)
    assert Dropout2d().kept(SHAPE, SHAPE) == Kept(own=8)
    assert DropPath().kept(SHAPE, SHAPE) == Kept(own=1)
    for kind in ALL:
        assert kind(p=0.0).kept(SHAPE, SHAPE) == Kept()
        assert kind(p=0.0).shares_storage
        assert not kind(p=0.1).shares_storage


def test_costs_nothing_to_learn_and_to_apply():
    for kind in ALL:
        assert kind().weights(SHAPE) == ()
        assert kind().macs(SHAPE, SHAPE) == kind().elementwise(SHAPE, SHAPE) == 0
        assert kind().output(SHAPE) == SHAPE


@pytest.mark.parametrize("kind", [Dropout, Dropout2d], ids=lambda kind: kind.word)
def test_in_place(kind):
    assert kind.in_place
    assert not DropPath.in_place  # nothing that a batch is multiplied by can be saved there
    op = kind(p=0.2, inplace=True)
    assert str(op.torch(SHAPE, SHAPE).module) == f"nn.{kind.__name__}(0.2, inplace=True)"
    assert op.shares_storage
    assert op.kept(SHAPE, SHAPE) == kind(p=0.2).kept(SHAPE, SHAPE)
    conform(op, SHAPE, probe=None)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.word)
@given(data=st.data(), shape=maps() | vectors())
def test_any(kind, data, shape):
    # nn.Dropout2d warns of a vector, and drops single numbers; torch takes p=1.
    attempt(data.draw(operations(kind)), shape, stricter="drops")


@pytest.mark.parametrize(
    ("op", "arriving", "message", "help"),
    [
        (Dropout(p=1.0), (8,), "`dropout` with p=1 drops everything", "`dropout 0.5`"),
        (DropPath(p=1.0), SHAPE, "`droppath` with p=1 drops everything", "`droppath 0.5`"),
        (Dropout2d(p=0.2), (8,), "drops channels of a map, and its input is 8", "`dropout 0.2`"),
    ],
)
def test_refused(op, arriving, message, help):
    assert help in refuses(op, arriving, match=message, stricter=True)


def test_traced_in_one_piece():
    built = build(DropPath(p=0.5), SHAPE)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = built.module

        def forward(self, x):
            return self.path(x)

    batch = {0: torch.export.Dim("batch", min=2)}
    x = torch.rand(8, *SHAPE)
    exported = torch.export.export(Whole(), (x,), dynamic_shapes=(batch,)).module()
    torch.manual_seed(0)
    expected = built.forward(torch.ones(64, *SHAPE))
    torch.manual_seed(0)
    assert exported(torch.ones(64, *SHAPE)).equal(expected)


def test_explained():
    assert Dropout().explain((4096,), (4096,)) == [
        ("shape", "stays 4096"),
        ("dropped", "0.5 * 4,096 numbers = 2,048 on average"),
        ("the rest", "times 1/(1 - 0.5) = 2"),
        ("in evaluation", "nothing is dropped, nothing is scaled"),
    ]
    assert Dropout2d(p=0.2).explain(SHAPE, SHAPE)[1] == (
        "dropped",
        "0.2 * 8 channels = 1.6 on average",
    )
    assert DropPath(p=0.2).explain(SHAPE, SHAPE)[1] == (
        "dropped",
        "everything, for 20 % of the images",
    )
    huge = (2**2000,)
    assert "on average" in Dropout(p=0.3).explain(huge, huge)[1][1]
