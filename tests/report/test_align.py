"""Two sequences side by side."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.report import align as aligning
from dotcnn.compiler.report.align import Pairs, align
from support import grows_linearly


def pairs(left: str, right: str) -> Pairs:
    """Letters are the same as themselves, and akin to themselves in the other case."""
    return align(left, right, lambda item, _: item, lambda a, b: 5 * (a.lower() == b.lower()))


def matched(left: str, right: str) -> list[tuple[str, str]]:
    return [(left[i], right[j]) for i, j in pairs(left, right)]


def longest_common(left: str, right: str) -> int:
    best = [0] * (len(right) + 1)
    for a in left:
        row = [0]
        for j, b in enumerate(right):
            row.append(best[j] + 1 if a == b else max(best[j + 1], row[j]))
        best = row
    return best[-1]


texts = st.text("abAB", max_size=14)


@given(texts, texts)
def test_pairs_rise_and_are_akin(left: str, right: str) -> None:
    found = pairs(left, right)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))
    assert all(left[i].lower() == right[j].lower() for i, j in found)


@given(texts, texts)
def test_as_much_as_possible_is_the_same(left: str, right: str) -> None:
    same = sum(a == b for a, b in matched(left, right))
    assert same == longest_common(left, right)


@given(st.text("abc", max_size=30), st.text("abc", max_size=30))
def test_myers_finds_a_longest_common_subsequence(left: str, right: str) -> None:
    found = aligning._shared(left, right)
    assert all(left[i] == right[j] for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))
    assert len(found) == longest_common(left, right)


def test_what_changed_belongs_to_what_it_was() -> None:
    assert matched("abAcb", "aBAcb") == [("a", "a"), ("b", "B"), ("A", "A"), ("c", "c"), ("b", "b")]


def test_long_sequences_with_few_differences() -> None:
    def sequences(count: int) -> tuple[str, str]:
        left = "abcd" * count
        return left, left[:30_001] + "x" + left[30_001 : 3 * count] + left[3 * count + 3 :] + "y"

    assert grows_linearly(lambda count: pairs(*sequences(count)), 12_500, times=4)
    left, right = sequences(50_000)
    found = pairs(left, right)
    assert len(found) == len(left) - 3
    assert all(left[i] == right[j] for i, j in found)


def test_long_sequences_without_anything_in_common() -> None:
    """What is akin is then paired in order."""
    assert grows_linearly(lambda count: pairs("ab" * count, "AC" * count), 2_500)
    assert len(pairs("ab" * 20_000, "AC" * 20_000)) == 20_000
