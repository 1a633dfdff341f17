"""The harness itself: it notices whatever is wrong about an operation."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from dotcnn.compiler.ops.base import EVERYTHING, Kept, TorchText, Weight, Window
from dotcnn.compiler.ops.conv import Conv
from dotcnn.compiler.ops.worked import Worked
from dotcnn.compiler.shapes import Shape, ShapeError
from ops.conformance import attempt, conform, refuses, values

RIGHT = Conv(out=4, kernel=(3, 3), pad=(1, 1))
ARRIVING = (2, 6, 6)


def wrong(method: str, result: Any) -> Conv:
    """The same, one of whose answers is another."""

    class Wrong(Conv):
        word: ClassVar[str] = ""

    setattr(Wrong, method, result if isinstance(result, property) else lambda *_: result)
    return Wrong(**vars(RIGHT))


def test_the_right_one_passes() -> None:
    conform(RIGHT, ARRIVING)


@pytest.mark.parametrize(
    ("method", "result", "message"),
    [
        ("output", (4, 5, 6), r"torch: \(4, 6, 6\)"),
        ("weights", (Weight("weight", (4, 2, 3, 3)),), "weights"),
        ("weights", (Weight("w", (4, 2, 3, 3)), Weight("bias", (4,))), "weights"),
        ("weights", (Weight("weight", (4, 2, 3, 3)), Weight("bias", (4,), False)), "weights"),
        ("macs", 4 * 6 * 6 * 9, "1,296 multiply-adds"),
        ("macs", 4.0 * 6 * 6 * 18, "is a whole number"),
        ("elementwise", -1, "elementwise"),
        ("kept", Kept(), "kept"),
        ("kept", Kept(inputs=(0,), output=True), "kept"),
        ("kept", Kept(inputs=(0,), own=1), "kept"),
        ("kept", Kept(inputs=(0,), once=1), "kept"),
        ("shares_storage", property(lambda self: True), "storage"),
        ("window", Window((3, 3), (1, 1), (0, 0)), "output"),
        ("window", Window((5, 5), (1, 1), (-2, -2)), "output"),
        ("window", Window((3, 3), (2, 2), (-1, -1)), "output"),
        ("window", EVERYTHING, "not everything"),
        ("explain", [("height", "")], "explained"),
        ("work_out", Worked((0, 0, 0), "sum", 99.0), "99, torch: "),
        ("torch", TorchText(call="{0}.flip(1)"), "may not be emitted"),
        ("torch", TorchText("nn.Conv2d(2, 4, 3, padding=1, dilation=1, bias=False)"), "weights"),
    ],
)
def test_a_wrong_one_does_not(method: str, result: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        conform(wrong(method, result), ARRIVING)


def test_refusing_what_torch_accepts_needs_a_reason() -> None:
    class Fussy(Conv):
        word: ClassVar[str] = ""

        def output(self, *inputs: Shape) -> Shape:
            raise ShapeError("no")

    op = Fussy(**vars(RIGHT))
    with pytest.raises(AssertionError, match="torch accepts"):
        refuses(op, ARRIVING)
    with pytest.raises(AssertionError, match="torch accepts"):
        attempt(op, ARRIVING, stricter="another reason")
    assert refuses(op, ARRIVING, stricter=True) == "no"
    attempt(op, ARRIVING, stricter="no")


def test_accepting_what_torch_refuses_is_noticed() -> None:
    op = wrong("output", (4, 6, 6)).replace(groups=2, kernel=(9, 9))
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        attempt(op, ARRIVING)


def test_values_are_drawn_from_the_signature() -> None:
    assert values(Conv.fields["mode"]) == ["zeros", "reflect", "replicate", "circular"]
    assert values(Conv.fields["same"]) == [False, True]
    assert values(Conv.fields["bias"]) == ["auto", False, True]
    assert (3, 1) in values(Conv.fields["kernel"])
    assert (0, 1) not in values(Conv.fields["kernel"])
