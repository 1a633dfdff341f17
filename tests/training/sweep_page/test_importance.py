"""How much of the results a parameter explains."""

from __future__ import annotations

import random

import pytest

from dotcnn.compiler.plan.search_space import Search, Value
from dotcnn.training.sweep_page.importance import importances

SEARCHES = (
    Search("strong", "strong", 0, 1),
    Search("weak", "weak", 0, 1),
    Search("kind", "kind", choices=("a", "b", "c")),
)


def _drawn(count: int, seed: int = 0) -> list[list[Value]]:
    numbers = random.Random(seed)
    return [
        [numbers.random() for _ in range(count)],
        [numbers.random() for _ in range(count)],
        [numbers.choice("abc") for _ in range(count)],
    ]


def test_finds_what_matters() -> None:
    strong, weak, kind = values = _drawn(80)
    results = [
        -abs(float(s) - 0.4) + 0.05 * float(w) + 0.2 * (k == "b")
        for s, w, k in zip(strong, weak, kind, strict=True)
    ]
    found = importances(SEARCHES, values, results)
    assert [each.name for each in found[:2]] == ["strong", "kind"]
    assert found[0].is_told
    assert found[1].is_told
    assert not found[2].is_told


def test_a_result_that_is_far_off_counts_as_one() -> None:
    strong, _, _ = values = _drawn(60)
    results = [float(s) for s in strong]
    before = importances(SEARCHES, values, results)[0]
    results[7] = -1e12
    after = importances(SEARCHES, values, results)[0]
    assert after.name == "strong"
    assert after.share == pytest.approx(before.share, abs=0.15)


def test_chance_alone_is_rarely_told() -> None:
    told = 0
    for seed in range(40):
        shuffled = random.Random(seed).sample([n / 30 for n in range(30)], 30)
        told += sum(each.is_told for each in importances(SEARCHES, _drawn(30, seed), shuffled))
    assert told <= 16  # of 120, of which 5 % are 6


def test_nothing_is_said_of_few_or_equal_results() -> None:
    assert importances(SEARCHES, _drawn(5), [1.0, 2.0, 3.0, 4.0, 5.0]) == []
    assert importances(SEARCHES, _drawn(9), [1.0] * 9) == []


def test_a_parameter_with_one_value_explains_nothing() -> None:
    found = importances(SEARCHES[:1], [[0.5] * 10], [float(n) for n in range(10)])
    assert found[0].share == 0
    assert not found[0].is_told
