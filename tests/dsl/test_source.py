"""Places in a text: offsets, lines and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.dsl.source import Source, Span

# Every kind of line end, and characters that Python's splitlines() takes for one.
texts = st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x85\u2028é字😀"), max_size=30)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a", ""]),
        ("a\nb", ["a", "b"]),
        ("a\r\nb\rc\n", ["a", "b", "c", ""]),
        ("\n\r", ["", "", ""]),
        ("\r\r\n", ["", "", ""]),
        ("a\x0cb\u2028c\x85d", ["a\x0cb\u2028c\x85d"]),
    ],
)
def test_lines_end_where_editors_end_them(text: str, lines: list[str]) -> None:
    """At the three line ends in use; a form feed and U+2028 are characters of a line."""
    source = Source("t", text)
    assert source.line_count == len(lines)
    assert [source.line(number + 1) for number in range(source.line_count)] == lines


@pytest.mark.parametrize(
    ("offset", "place"),
    [(0, (1, 1)), (1, (1, 2)), (2, (2, 1)), (4, (2, 3)), (5, (3, 1)), (6, (3, 2)), (7, (3, 3))],
)
def test_places_count_from_one_in_characters(offset: int, place: tuple[int, int]) -> None:
    assert Source("t", "a\n字\r\né😀").locate(offset) == place


@given(texts)
def test_a_place_leads_back_to_its_offset(text: str) -> None:
    """Whatever the line ends are: a line's start and a column make the offset again."""
    source = Source("t", text)
    for offset in range(len(text) + 1):
        line, column = source.locate(offset)
        assert source.line_starts[line - 1] + column - 1 == offset
        assert 1 <= line <= source.line_count


@given(texts)
def test_lines_and_their_ends_make_up_the_text(text: str) -> None:
    source = Source("t", text)
    starts = [*source.line_starts, len(text)]
    for number in range(1, source.line_count + 1):
        whole = text[starts[number - 1] : starts[number]]
        assert whole.startswith(source.line(number))
        last = number == source.line_count
        assert whole[len(source.line(number)) :] in ([""] if last else ["\n", "\r", "\r\n"])


def test_a_span_knows_its_text_and_both_ends() -> None:
    span = Source("net.cnn", "conv 64\n  relu\n").span(5, 12)
    assert span.text == "64\n  re"
    assert (span.line, span.column) == (1, 6)
    assert (span.end_line, span.end_column) == (2, 5)
    assert repr(span) == "<net.cnn:1:6-2:5>"


def test_sources_are_the_same_only_if_they_are_one() -> None:
    """Two files of the same text are two places."""
    first, second = Source("t", "a"), Source("t", "a")
    assert first != second
    assert Span(first, 0, 1) != Span(second, 0, 1)
    assert len({first, second}) == 2
