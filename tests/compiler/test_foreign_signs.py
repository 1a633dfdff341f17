"""Comments of other languages behind a statement: they are recognised, and `#` mends them."""

from __future__ import annotations

import pytest

from dotcnn.compiler.diagnose.trial import apply
from foreign_corpus import errors

NETWORK = "network A {\n  input 3x32x32\n  conv 8 3x3 same\n  @\n  flatten\n  fc 10\n}\n"
TRAINING = NETWORK.replace("@", "relu") + "train {\n  @\n  epochs 3\n}\n"

COMMENTS = """
conv 64 3x3 same // the stem
conv 64 3x3 same //stem
conv 64 3x3 same /// the stem
conv 64 3x3 stride=2 // halves the size
pool max 2 // 32 -> 16
fc 10 // 10 classes
relu // don't
relu // act
let w = 4 // the width
dropout 50% // half of it
conv 64 3x3 same -- the stem
conv 64 3x3 same stride=2 -- halves
conv 64 3x3 same % the stem
dropout 50% % half of it
relu % act
relu ; act
conv 64 3x3 same ; the stem
; the stem
-- the stem
// the stem
relu /* act */
relu <!-- act -->
/* act */
/* act */ relu
conv 8 /* width */ 3x3 same
""".strip().splitlines()

OF_SECTIONS = """
batch 64 // images at once
batch 64 // 64 images
batch 64 -- as in the paper
optimizer adam % as in the paper
""".strip().splitlines()


@pytest.mark.parametrize(
    "text",
    [NETWORK.replace("@", line) for line in COMMENTS]
    + [TRAINING.replace("@", line) for line in OF_SECTIONS]
    + [NETWORK.replace("@", "/* the stem,\n   * narrow */\n  conv 64 3x3 same")],
)
def test_a_comment_is_recognised_and_mended(text: str) -> None:
    (found,) = [e for e in errors(text) if e.code != "shape"]
    assert found.code == "comment"
    assert found.message.startswith("a comment starts with `#`")
    assert [e for e in errors(apply(text, found.edits)) if e.code != "shape"] == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("relu; bn", "foreign-sign"),
        ("relu ; bn", "foreign-sign"),
        ("conv 64 // k 3x3 same", "unknown-name"),
        ("let hidden = 2, conv 64 // hiden 3x3 same", "unknown-name"),
        ("conv 64 % 3 krnel=3", "unknown-argument"),
        ("cnv 64 3x3 # a // b", "unknown-layer"),
        ("conv 64 // 0 3x3 same", "division"),
    ],
)
def test_an_operator_is_not_a_comment(line: str, code: str) -> None:
    assert errors(NETWORK.replace("@", line))[0].code == code


def test_an_operand_without_a_value_may_be_a_comment() -> None:
    (found,) = errors(NETWORK.replace("@", "conv 64 3x3 stride=2 // halves"))
    assert found.code == "unknown-name"
    assert found.notes == ("a comment starts with `#`",)


def test_several_comments_are_each_reported() -> None:
    text = NETWORK.replace("@", "conv 64 3x3 same // the stem\n  relu // act\n  cnv 8 3x3")
    assert [e.code for e in errors(text)] == ["comment", "comment", "unknown-layer"]
