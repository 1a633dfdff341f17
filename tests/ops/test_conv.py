from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.ops.conv import Conv
from ops.conformance import attempt, conform, maps, operations


def test_small():
    conform(Conv(out=4, kernel=(3, 3), same=True), (3, 8, 8))
    conform(Conv(out=4, kernel=(4, 4), stride=(2, 2), same_upper=True), (3, 7, 8))


@settings(max_examples=40)
@given(operations(Conv, out=st.sampled_from([2, 4, 6]), groups=st.sampled_from([1, 2])), maps())
def test_any(op, shape):
    attempt(op, shape, stricter="`same`", edges=op.mode == "zeros")
