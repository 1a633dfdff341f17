"""Where paths come together and part."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.ops.merge import (
    Add,
    Chunk,
    Concat,
    Input,
    Maximum,
    Merge,
    Mul,
)
from dotcnn.compiler.ops.scale import ScaleBy, Scaled
from dotcnn.compiler.ops.shortcut import PadShortcut
from dotcnn.compiler.shapes import Shape, ShapeError
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses, vectors

SHAPES = maps(side=5) | vectors()
COUNTS = st.integers(2, 4)

STRICTER = "cannot be (added|compared)"
"""Torch spreads whatever has one channel, row or column over the rest: a mistake, more often."""

PROBE = {Add: "gradient", Mul: "gradient", Concat: "gradient", Maximum: "nan"}


@pytest.mark.parametrize("kind", [Add, Maximum, Mul, Concat])
@given(shape=SHAPES, count=COUNTS)
def test_any_paths_of_one_shape(kind: type[Merge], shape: Shape, count: int) -> None:
    conform(kind(), *[shape] * count, probe=PROBE[kind])


@pytest.mark.parametrize("kind", [Add, Maximum, Mul, Concat])
@given(shapes=st.lists(SHAPES, min_size=2, max_size=3))
def test_any_paths(kind: type[Merge], shapes: list[Shape]) -> None:
    attempt(kind(), *shapes, stricter=STRICTER, probe=PROBE[kind])


@given(maps(side=5), st.lists(st.tuples(*[st.booleans()] * 3) | st.none(), min_size=1, max_size=3))
def test_any_gates(shape: Shape, gates: list[tuple[bool, ...] | None]) -> None:
    """Of a gate each axis may have a length of 1; a vector has one number for each channel."""
    spread = [
        shape[:1]
        if gate is None
        else tuple(1 if one else n for one, n in zip(gate, shape, strict=True))
        for gate in gates
    ]
    conform(Mul(), shape, *spread)


@given(maps(side=5), st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_any_concat(shape: Shape, channels: list[int]) -> None:
    conform(Concat(), shape, *((count, *shape[1:]) for count in channels))


def test_inception() -> None:
    paths = [(n, 28, 28) for n in (64, 128, 32, 32)]
    leaving = Concat().output(*paths)
    assert leaving == (256, 28, 28)
    assert Concat().explain(leaving, *paths) == [("channels", "64 + 128 + 32 + 32 = 256")]
    assert Concat().torch(leaving, *paths).call == "torch.cat([{0}, {1}, {2}, {3}], 1)"


def test_texts() -> None:
    three = [(2, 3, 3)] * 3
    assert Add().torch(three[0], *three).call == "{0} + {1} + {2}"
    assert Maximum().torch(three[0], *three).call == "torch.maximum(torch.maximum({0}, {1}), {2})"
    assert Mul().torch(three[0], three[0], (2,)).call == "{0} * {1}[..., None, None]"
    assert Mul().torch(three[0], three[0], (2, 1, 1)).call == "{0} * {1}"


def test_elementwise_operations() -> None:
    assert Add().elementwise((2, 3, 3), *[(2, 3, 3)] * 3) == 36
    # First a gate with a gate, then with the map.
    assert Mul().elementwise((2, 3, 3), (2, 1, 1), (2, 1, 1), (2, 3, 3)) == 2 + 18
    assert Concat().elementwise((4, 3, 3), (2, 3, 3), (2, 3, 3)) == 0


def test_what_does_not_fit_together() -> None:
    told = refuses(Add(), (64, 56, 56), (256, 56, 56))
    assert told == (
        "these paths cannot be added: 64x56x56 and 256x56x56\n"
        "end the path of 256 channels with `conv 64`, a 1x1 convolution"
    )
    told = refuses(Concat(), (64, 28, 28), (32, 14, 14), (32, 28, 28))
    assert told == (
        "these paths cannot be concatenated: 64x28x28, 32x14x14 and 32x28x28\n"
        "`stride=2` in the path of 64x28x28 makes it 14x14"
    )
    assert "strides and padding" in refuses(Concat(), (64, 28, 28), (32, 26, 26))
    assert "`flatten` at the end of the map's path" in refuses(Add(), (8, 4, 4), (128,))
    assert "end one path with `fc 10`" in refuses(Maximum(), (10,), (20,))
    assert "path of 32 channels with `conv 64`" in refuses(Mul(), (64, 8, 8), (32, 1, 1))
    refuses(Maximum(), (64, 8, 8), (64, 1, 1), match="64x8x8 and 64x1x1", stricter=True)
    refuses(Add(), (64, 8, 8), match="two or more paths", stricter=True)


@given(st.integers(1, 4), st.data(), SHAPES)
def test_any_chunk(count: int, data: st.DataObject, shape: Shape) -> None:
    op = Chunk(index=data.draw(st.integers(0, count - 1)), count=count)
    # Torch makes the last part smaller, or gives fewer parts.
    attempt(op, shape, stricter="cannot be divided")


def test_chunks_put_together_again_are_what_they_were() -> None:
    x = torch.randn(2, 6, 2, 2)
    parts = [build(Chunk(index=n, count=3), (6, 2, 2)).forward(x) for n in range(3)]
    assert torch.equal(build(Concat(), *[(2, 2, 2)] * 3).forward(*parts), x)
    refuses(
        Chunk(index=0, count=3),
        (58, 2, 2),
        match="58 input channels .* among 3 paths",
        stricter=True,
    )


@given(operations(PadShortcut, out=st.integers(4, 8), stride=pairs(1, 3)), maps(st.integers(1, 4)))
def test_any_pad_shortcut(op: PadShortcut, shape: Shape) -> None:
    conform(op, shape)


def test_a_shortcut_without_weights() -> None:
    """ResNet's option A, as its networks for CIFAR have it."""
    op = PadShortcut.between((16, 32, 32), (32, 16, 16))
    assert op == PadShortcut(out=32, stride=(2, 2))
    assert op.output((16, 32, 32)) == (32, 16, 16)
    x = torch.randn(1, 16, 32, 32)
    after = build(op, (16, 32, 32)).forward(x)
    assert torch.equal(after[:, 8:24], x[..., ::2, ::2])
    assert after[:, :8].abs().sum() == after[:, 24:].abs().sum() == 0
    assert str(op.torch((32, 16, 16), (16, 32, 32)).module) == "PadShortcut(16, stride=2)"
    for arriving, leaving in (((32, 8, 8), (16, 8, 8)), ((8, 8, 8), (8, 9, 8)), ((8,), (16,))):
        with pytest.raises(ShapeError):
            PadShortcut.between(arriving, leaving)


@given(maps(st.integers(1, 4)))
def test_any_scaled(shape: Shape) -> None:
    conform(Scaled(factor=0.17), shape)
    conform(ScaleBy(factor=0.17), shape)


def test_input() -> None:
    op = Input(shape=(3, 224, 224))
    assert op.output() == (3, 224, 224)
    assert op.elementwise(op.output()) == op.macs(op.output()) == 0
    assert op.explain(op.output()) == [("numbers", "3*224*224 = 150,528 for each image")]
    assert Input.fields["shape"].read((1, 28, 28)) == (1, 28, 28)
