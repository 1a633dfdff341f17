"""TF32 is set for a run and restored, whichever of torch's two interfaces a process has used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from dotcnn.training.runtime.tf32 import tf32

# torch 2.9 warns of the older interface.
pytestmark = pytest.mark.filterwarnings("ignore:Please use the new API settings:UserWarning")

MATMUL, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn
KINDS: list[Any] = [
    kind for kind in (MATMUL, getattr(CUDNN, "conv", None), getattr(CUDNN, "rnn", None))
    if hasattr(kind, "fp32_precision")
]  # fmt: skip


def words() -> list[str]:
    return [kind.fp32_precision for kind in KINDS]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = words()
    yield
    if KINDS:
        torch.backends.fp32_precision = "none"
    MATMUL.allow_tf32, CUDNN.allow_tf32 = False, True
    for kind, word in zip(KINDS, before, strict=True):
        kind.fp32_precision = word


@pytest.mark.parametrize("allowed", [True, False])
def test_both_interfaces_say_the_same(allowed: bool) -> None:
    switches = MATMUL.allow_tf32, CUDNN.allow_tf32
    before = words()
    with tf32(allowed):
        assert MATMUL.allow_tf32 is CUDNN.allow_tf32 is allowed
        assert words() == ["tf32" if allowed else "ieee"] * len(KINDS)
    assert (MATMUL.allow_tf32, CUDNN.allow_tf32) == switches
    assert words() == before


@pytest.mark.skipif(not KINDS, reason="this torch has one interface only")
@pytest.mark.parametrize("allowed", [True, False])
def test_a_process_may_have_used_the_new_interface(allowed: bool) -> None:
    """After that, the old one cannot be read."""
    MATMUL.fp32_precision, CUDNN.conv.fp32_precision = "tf32", "ieee"
    torch.backends.fp32_precision = "tf32"
    before = words()
    with pytest.raises(RuntimeError, match="legacy"):
        _ = MATMUL.allow_tf32
    with pytest.raises(RuntimeError, match="legacy"):
        _ = CUDNN.allow_tf32
    with tf32(allowed):
        assert MATMUL.allow_tf32 is CUDNN.allow_tf32 is allowed
    assert words() == before
