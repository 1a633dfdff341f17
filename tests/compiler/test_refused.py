"""Specs that once ended in a traceback."""

from __future__ import annotations

import pytest

from networks import codes


@pytest.mark.parametrize(
    ("body", "input", "code"),
    [
        ("filter blur", "3x2x2", "shape"),
        ("filter blur", "3x1x1", "shape"),
        ("filter sobel_x", "3x1x1", "shape"),
        ("aux { pool avg global, flatten, fc 3 }", "3x8x8", "empty"),
        ("from a\naux { relu }\naux { relu }", "3x8x8", "unknown-label"),
    ],
)
def test_said_and_not_raised(body: str, input: str, code: str) -> None:
    assert codes(body, input) == [code]
