"""What differs between two plans, argument by argument."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.compiler.plan.make import plan
from dotcnn.compiler.plan.plan_differences import Change, changes

NETWORK = "network A { input 1x8x8, flatten, fc 10 }\ntrain { data digits }\n"


def changed(before: str, now: str) -> list[Change]:
    return changes(*(plan(dotcnn.compile(NETWORK + text)) for text in (before, now)))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("", "augment { rotate 15 }", [("augment.rotate", "", "-15..15")]),
        (
            "augment { rotate 15 }",
            "augment { rotate 20, flip horizontal }",
            [("augment.rotate", "-15..15", "-20..20"), ("augment.flip", "", "horizontal")],
        ),
        ("augment { flip horizontal }", "", [("augment.flip", "horizontal", "")]),
        ("augment { flip horizontal p=20% }", "", [("augment.flip", "horizontal p=20%", "")]),
        (
            "augment { rotate 15 }",
            "augment { rotate 20 }",
            [("augment.rotate", "-15..15", "-20..20")],
        ),
    ],
)
def test_directives_of_a_list_have_names_of_their_own(
    before: str, now: str, expected: list[tuple[str, str, str]]
) -> None:
    assert changed(before, now) == [Change(*each) for each in expected]
