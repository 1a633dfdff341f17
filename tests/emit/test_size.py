"""Text and work grow with the spec, or with the layers where each has its line; never faster."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

import dotcnn
from dotcnn.compiler.network import Network

FORMS = {
    "a chain written out": "{}",
    "rounds": "repeat {} {{ conv 4 3x3 same, bn, relu }}",
    "rounds of a residual": "repeat {} {{ residual {{ conv 4 3x3 same, bn }}, relu }}",
    "rounds that differ": "repeat {} as i {{ conv 4 + i % 3 1x1, relu }}",
    "rounds that grow": "repeat {} {{ dense {{ conv 2 3x3 same }} }}",
    "references": "stem: conv 4, repeat {} {{ conv 4, add stem }}",
    "calls": "repeat {} as i {{ unit 4 + i % 3 }}",
}

UNIT = "block unit(width) { residual { conv width 1x1, bn, relu, conv channels 1x1 }, relu }\n"


def made(form: str, count: int) -> Network:
    """So many times the same, in one of the ways to say it."""
    body = FORMS[form].format(count)
    if form == "a chain written out":
        body = "\n".join(["conv 4 1x1, relu"] * count)
    return dotcnn.compile(f"{UNIT}network N {{\n  input 4x4x4\n  {body}\n}}\n")


def work(network: Network, flat: bool) -> int:
    """How many functions are called to emit it."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        dotcnn.emit(network, flat=flat)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_twice_the_layers_are_twice_the_work(form: str, flat: bool) -> None:
    once, twice = (work(made(form, count), flat) for count in (60, 120))
    assert twice <= 2.2 * once


ALIKE = ("rounds", "rounds of a residual", "rounds that grow")


@pytest.mark.parametrize("form", ALIKE)
def test_rounds_take_no_lines(form: str) -> None:
    """What is repeated is said once, whatever the count."""
    one, two = (dotcnn.emit(made(form, count)).count("\n") for count in (30, 60))
    assert one == two


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ALIKE])
def test_rounds_that_are_not_alike_take_no_more_than_lines(form: str) -> None:
    one, two, three = (dotcnn.emit(made(form, count)).count("\n") for count in (30, 60, 90))
    assert three - two == two - one <= 4 * 30


@pytest.mark.parametrize("form", FORMS)
def test_layers_take_a_line_or_two_each_in_flat_form(form: str) -> None:
    """The same number more for each round more."""
    one, two, three = (
        dotcnn.emit(made(form, count), flat=True).count("\n") for count in (30, 60, 90)
    )
    assert three - two == two - one


@pytest.mark.slow
@pytest.mark.parametrize("flat", [False, True])
def test_ten_thousand_layers_cost_ten_times_a_thousand(flat: bool) -> None:
    small, large = (made("a chain written out", count) for count in (500, 5000))
    assert work(large, flat) <= 11 * work(small, flat)
