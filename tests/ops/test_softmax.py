"""Softmax: over channels, places, and the weights of paths."""

from __future__ import annotations

import torch

from dotcnn.compiler.ops.softmax import Softmax
from ops.conformance import build, conform, refuses


def test_over_channels() -> None:
    conform(Softmax(), (4, 2, 3))
    conform(Softmax(), (5,))
    assert Softmax().probabilities


def test_over_places() -> None:
    op = Softmax(over="places")
    for shape in ((2, 3, 4), (3, 5), (2, 2, 3, 2)):
        conform(op, shape)
        weights = build(op, shape).forward(torch.randn(2, *shape))
        assert torch.allclose(weights.flatten(2).sum(2), torch.ones(2, shape[0]))
    assert not op.probabilities
    refuses(op, (4,), match="needs a map")


def test_over_paths() -> None:
    """Channel c of each path, as SKNet weighs them."""
    op = Softmax(parts=2)
    conform(op, (6, 1, 1))
    conform(op, (6,))
    conform(Softmax(parts=3), (6, 2, 2))
    x = torch.randn(2, 6, 1, 1)
    first, second = build(op, (6, 1, 1)).forward(x).chunk(2, 1)
    assert torch.allclose(first + second, torch.ones_like(first))
    assert torch.allclose(first, (x[:, :3] - x[:, 3:]).sigmoid(), atol=1e-6)
    assert not op.probabilities
    refuses(Softmax(parts=4), (6, 1, 1), match="cannot be divided into 4 parts")
    refuses(Softmax(parts=2, over="places"), (6, 1, 1), match="take one of them out", stricter=True)
