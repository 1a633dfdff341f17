"""Every target of the fuzzer: what failed once, and some inputs more.

`make test` runs a few inputs of each target, `make check-all` up to a thousand, `make fuzz` as many
as are asked for. How targets are made, and what counts as a failure, is in frame.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.frame import Inputs, Target, attempt, cases, digests_elsewhere, repeated, targets
from fuzz.targets.specs import WORDS, encoded, examine

TARGETS = sorted(targets().values(), key=lambda target: target.name)
CASES = [(target, case) for target in TARGETS for case in cases(target)]


@pytest.mark.parametrize(("target", "case"), CASES, ids=lambda it: getattr(it, "stem", it.name))
def test_what_was_found_before(target: Target, case: Path) -> None:
    _check(target, case.read_bytes(), case.name)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_few_inputs(target: Target) -> None:
    _run(target, target.few)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_inputs(target: Target) -> None:
    _run(target, min(1000, 20 * target.few))


@pytest.mark.slow
def test_processes_say_the_same() -> None:
    """Whatever the order of hashes."""
    target = targets()["spec"]
    inputs = [Inputs(target)[number] for number in range(30)]
    assert digests_elsewhere(target, inputs) == [attempt(target, it).digest for it in inputs]


def _run(target: Target, count: int) -> None:
    inputs = Inputs(target)
    for number in range(count):
        _check(target, inputs[number], f"number {number}")


def _check(target: Target, data: bytes, name: str) -> None:
    failure = repeated(target, data).failure
    assert failure is None, f"{target.name}, {name}: {failure.kind}\n{failure.text}\n{data!r}"


soup = st.lists(st.sampled_from(WORDS), max_size=60).map("".join).map(encoded)


@settings(max_examples=3 * settings().max_examples)
@given(st.binary(max_size=200) | soup)
def test_any_bytes(data: bytes) -> None:
    """What hypothesis finds, it makes short."""
    examine(data)
