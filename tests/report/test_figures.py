"""Figures as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.report import figures


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (9_995, "10.0k"),
        (25_557_032, "25.6M"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (4_089_184_256, "4.09G"),
        (-1_234, "-1.23k"),
        (2**60, "1.15E"),
        (10**30, "1.00e30"),
        (10**400, "1.00e400"),
    ],
)
def test_short(number: int, text: str) -> None:
    assert figures.short(number) == text


@given(st.integers(1, 10**20))
def test_short_is_right_to_half_a_percent(number: int) -> None:
    text = figures.short(number)
    unit = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.get(text[-1], 0)
    assert len(text) <= 5
    assert float(text.rstrip("kMGTPE")) * 10**unit == pytest.approx(number, rel=0.005)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.00 KiB"),
        (102_228_128, "97.5 MiB"),
        (2**30 * 5 // 4, "1.25 GiB"),
        (2**70, "1,024.0 EiB"),
    ],
)
def test_data_size(number: int, text: str) -> None:
    assert figures.data_size(number) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("24GB", 24 * 10**9),
        ("24 gb", 24 * 10**9),
        ("16GiB", 2**34),
        ("1.5MiB", 3 * 2**19),
        ("512m", 512 * 10**6),
        ("100", 100),
        ("100B", 100),
    ],
)
def test_read_data_size(text: str, number: int) -> None:
    assert figures.read_data_size(text) == number


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "24XB", "24iB", "1e9", "24GB!"])
def test_no_data_size(text: str) -> None:
    with pytest.raises(figures.SizeError):
        figures.read_data_size(text)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (100, 100, ""),
        (0, 5, ""),
        (100, 112, "+12.0 %"),
        (100, 50, "-50.0 %"),
        (1000, 999, "-0.1 %"),
        (100, 320, "x 3.20"),
    ],
)
def test_change(before: int, after: int, text: str) -> None:
    assert figures.change(before, after) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 8, "12.5 %"), (0, 8, "0.0 %"), (1, 10**9, "< 0.1 %"), (8, 8, "100.0 %"), (1, 0, "")],
)
def test_share(part: int, whole: int, text: str) -> None:
    assert figures.share(part, whole) == text
