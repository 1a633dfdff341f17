"""Fully connected layers."""

from __future__ import annotations

from hypothesis import given

from dotcnn.compiler.ops.linear import Linear
from dotcnn.compiler.shapes import Shape, size
from ops.conformance import attempt, conform, operations, refuses, vectors


@given(operations(Linear), vectors())
def test_any_fc(op: Linear, shape: Shape) -> None:
    attempt(op, shape)


def test_weights_worked_by_hand() -> None:
    """An image as it is would take billions of them."""

    def weights(pixels: int, outputs: int) -> int:
        return size(Linear(out=outputs).weights((pixels,))[0].shape)

    assert weights(1000 * 1000 * 3, 1000) == 3_000_000_000
    assert weights(224 * 224 * 3, 1) == 150_528
    assert weights(200 * 200, 200 * 200) == 1_600_000_000


def test_a_classifier() -> None:
    op = Linear(out=1000)
    assert str(op.torch((1000,), (2048,)).module) == "nn.Linear(2048, 1000)"
    assert op.macs((1000,), (2048,)) == 2_048_000
    assert op.explain((1000,), (2048,)) == [
        ("parameters", "2048 inputs * 1000 outputs = 2,048,000; + 1000 biases = 2,049,000"),
        ("multiply-adds", "2048 inputs * 1000 outputs = 2,048,000"),
    ]
    conform(Linear(out=3, bias=False), (4,))


def test_a_map_has_to_be_flattened() -> None:
    """Torch would multiply its last axis, in silence or with a message about matrices."""
    told = refuses(
        Linear(out=10), (512, 7, 7), match="`fc` takes a vector, and its input is 512x7x7"
    )
    assert "write `flatten` before it, for 512*7*7 = 25,088 numbers, or `pool avg glo" in told
    told = refuses(Linear(out=10), (512, 1, 1), match="write `flatten` before it")
    assert "pool" not in told
    refuses(Linear(out=10), (512, 7, 10), stricter=True)
