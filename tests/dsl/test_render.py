"""Diagnostics as text, JSON and SARIF; the text stands here as a terminal shows it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dotcnn.dsl.diagnostics import Diagnostic, Edit, Label, SpecError
from dotcnn.dsl.printable import show
from dotcnn.dsl.render import render_json, render_sarif, render_text, summary
from dotcnn.dsl.source import Source, Span
from support import processor_seconds

RESNET = Source(
    "resnet.cnn",
    dedent("""\
        # He et al., 2015
        block bottleneck(width) {
          residual {

          conv 64 1x1

          residual shortcut=identity {
            conv width 1x1, bn, relu
            conv width 3x3 same, bn, relu
            conv 4*width 1x1, bn
          }
        }
        """),
)


def at(source: Source, text: str, nth: int = 0) -> Span:
    """The n-th place at which a text occurs, counted from 0."""
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return Span(source, start, start + len(text))


def between(first: Span, last: Span) -> Span:
    return Span(first.source, first.start, last.end)


def problem(span: Span | None, label: str = "", *labels: Label, **fields: Any) -> Diagnostic:
    return Diagnostic("code", "message", span, label, labels, **fields)


def excerpt(*args: Any, width: int = 100, **fields: Any) -> str:
    """What is shown below the two lines at the top."""
    lines = render_text([problem(*args, **fields)], width=width).split("\n")
    assert lines[0] == "error[code]: message"
    assert lines[1].lstrip().startswith("--> ")
    return "\n".join(lines[2:]) + "\n"


def expected(text: str) -> str:
    return dedent(text).lstrip("\n")


# ---- text: the parts of a message ----


def test_the_example_in_the_description_of_the_command_line() -> None:
    residual = Diagnostic(
        "shape",
        "these paths cannot be added: 256x56x56 and 64x56x56",
        at(RESNET, "residual", 1),
        "adds its input to its body",
        (
            Label(at(RESNET, "conv 4*width"), "the body ends in 256x56x56"),
            Label(at(RESNET, "conv"), "the input is 64x56x56, from here"),
        ),
        ("in bottleneck, called at resnet.cnn:18:5 (1st of 3 in repeat)",),
        "write `shortcut=auto` for a 1x1 projection, or end the body with `conv 64 1x1`",
    )
    assert render_text([residual]) + "\n" == expected("""
        error[shape]: these paths cannot be added: 256x56x56 and 64x56x56
          --> resnet.cnn:7:3
           |
         7 |   residual shortcut=identity {
           |   ^^^^^^^^ adds its input to its body
         5 |   conv 64 1x1
           |   ---- the input is 64x56x56, from here
        10 |     conv 4*width 1x1, bn
           |     ------------ the body ends in 256x56x56
           = in bottleneck, called at resnet.cnn:18:5 (1st of 3 in repeat)
           help: write `shortcut=auto` for a 1x1 projection, or end the body with `conv 64 1x1`
        """)


def test_a_diagnostic_without_a_place_names_the_file() -> None:
    missing = Diagnostic("unreadable", "cannot read net.cnn", file="net.cnn", help="is it there?")
    assert render_text([missing]) + "\n" == expected("""
        error[unreadable]: cannot read net.cnn
         --> net.cnn
          help: is it there?
        """)


def test_a_diagnostic_without_place_and_file_is_one_line() -> None:
    assert render_text([problem(None)]) == "error[code]: message"


def test_a_diagnostic_without_a_place_may_point_to_others() -> None:
    label = Label(at(RESNET, "residual"), "needed here")
    assert render_text([problem(None, "", label, file="net.cnn")]) + "\n" == expected("""
        error[code]: message
         --> net.cnn
         ::: resnet.cnn:3:3
          |
        3 |   residual {
          |   -------- needed here
        """)


def test_further_lines_of_a_text_are_indented_to_its_start() -> None:
    long = Diagnostic(
        "code", "one\ntwo", None, notes=("one\ntwo",), help="write\n\n  residual {\n  }"
    )
    assert render_text([long]) + "\n" == expected("""
        error[code]: one
                     two
          = one
            two
          help: write

                  residual {
                  }
        """)


def test_diagnostics_are_set_apart_by_an_empty_line() -> None:
    assert render_text([]) == ""
    two = [problem(None), problem(None, severity="warning")]
    assert render_text(two) == "error[code]: message\n\nwarning[code]: message"


def test_an_uncaught_spec_error_shows_what_is_wrong() -> None:
    assert "error[code]: message\n" in str(SpecError([problem(at(RESNET, "conv"))]))


def test_color() -> None:
    red, yellow, blue, cyan, bold, off = (
        f"\x1b[{code}m" for code in ("1;31", "1;33", "1;34", "1;36", "1", "0")
    )
    place, label = at(RESNET, "4*width"), Label(at(RESNET, "bn", 2), "other")
    colored = problem(place, "it", label, notes=("note",), help="help")
    bar = f"{blue}   |{off}"
    assert render_text([colored], color=True).split("\n") == [
        f"{red}error[code]:{off} {bold}message{off}",
        f"  {blue}-->{off} resnet.cnn:10:10",
        bar,
        f"{blue}10 |{off}     conv 4*width 1x1, bn",
        f"{bar}          {red}^^^^^^^ it{off}   {blue}-- other{off}",
        f"   {blue}={off} note",
        f"   {cyan}help:{off} help",
    ]
    warning = render_text([problem(None, severity="warning")], color=True)
    assert warning == f"{yellow}warning[code]:{off} {bold}message{off}"


# ---- text: labels ----


def test_labels_on_one_line_share_a_row_where_their_texts_leave_room() -> None:
    brace = Label(at(RESNET, "{", 2), "opened here")
    assert excerpt(at(RESNET, "residual", 1), "this", brace) == expected("""
          |
        7 |   residual shortcut=identity {
          |   ^^^^^^^^ this              - opened here
        """)
    before = Label(at(RESNET, "residual", 1), "")
    assert excerpt(at(RESNET, "identity"), "this", before, brace) == expected("""
          |
        7 |   residual shortcut=identity {
          |   --------          ^^^^^^^^ this
          |                              - opened here
        """)


def test_the_row_of_the_primary_label_comes_first() -> None:
    before = Label(at(RESNET, "residual", 1), "takes up more than there is")
    assert excerpt(at(RESNET, "shortcut"), "this", before) == expected("""
          |
        7 |   residual shortcut=identity {
          |            ^^^^^^^^ this
          |   -------- takes up more than there is
        """)


def test_labels_that_overlap_have_rows_of_their_own() -> None:
    whole = Label(at(RESNET, "residual shortcut=identity"), "that")
    same = Label(at(RESNET, "shortcut"), "the other")
    assert excerpt(at(RESNET, "shortcut"), "this", whole, same) == expected("""
          |
        7 |   residual shortcut=identity {
          |            ^^^^^^^^ this
          |   -------------------------- that
          |            -------- the other
        """)


def test_labels_in_other_files_follow_under_their_names() -> None:
    blocks = Source("blocks/vgg.cnn", "block vgg(n) {\n  conv n\n}\n")
    labels = [
        Label(at(blocks, "conv"), "not this"),
        Label(at(RESNET, "conv"), "nor this"),
        Label(at(blocks, "vgg"), "nor that"),
    ]
    assert excerpt(at(RESNET, "4*width"), "this", *labels) == expected("""
           |
        10 |     conv 4*width 1x1, bn
           |          ^^^^^^^ this
         5 |   conv 64 1x1
           |   ---- nor this
          ::: blocks/vgg.cnn:1:7
           |
         1 | block vgg(n) {
           |       --- nor that
         2 |   conv n
           |   ---- not this
        """)


# ---- text: spans of several lines, and empty ones ----


def test_two_lines() -> None:
    span = between(at(RESNET, "width", 1), at(RESNET, "3x3"))
    assert excerpt(span, "this") == expected("""
          |
        8 |     conv width 1x1, bn, relu
          |          ^^^^^^^^^^^^^^^^^^^
        9 |     conv width 3x3 same, bn, relu
          |     ^^^^^^^^^^^^^^ this
        """)


def test_three_lines_are_shown_in_full() -> None:
    span = between(at(RESNET, "width", 1), at(RESNET, "conv 4*width"))
    assert excerpt(span, "this") == expected("""
           |
         8 |     conv width 1x1, bn, relu
           |          ^^^^^^^^^^^^^^^^^^^
         9 |     conv width 3x3 same, bn, relu
           |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        10 |     conv 4*width 1x1, bn
           |     ^^^^^^^^^^^^ this
        """)
    empty = between(at(RESNET, "residual"), at(RESNET, "conv"))
    assert excerpt(empty, "this") == expected("""
          |
        3 |   residual {
          |   ^^^^^^^^^^
        4 |
        5 |   conv 64 1x1
          |   ^^^^ this
        """)


def test_of_more_lines_the_first_and_the_last() -> None:
    span = between(at(RESNET, "block"), at(RESNET, "}\n", 1))
    assert excerpt(span, "this", Label(at(RESNET, "conv"), "inside")) == expected("""
           |
         2 | block bottleneck(width) {
           | ^^^^^^^^^^^^^^^^^^^^^^^^^
        ...
        12 | }
           | ^ this
         5 |   conv 64 1x1
           |   ---- inside
        """)


@pytest.mark.parametrize("end", ["\n", "\n  ", "\n\n  \n", "\r\n  "])
def test_blanks_and_line_ends_at_the_end_of_a_span_are_not_shown(end: str) -> None:
    source = Source("a.cnn", f"  conv 64{end}bn")
    assert excerpt(Span(source, 2, 9 + len(end)), "this") == expected("""
          |
        1 |   conv 64
          |   ^^^^^^^ this
        """)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_line_end_is_behind_the_last_character(line_end: str) -> None:
    source = Source("a.cnn", f"  conv 64{line_end}bn{line_end}")
    end = at(source, line_end)
    shown = expected("""
          |
        1 |   conv 64
          |          ^ here
        """)
    assert excerpt(Span(source, end.start, end.start), "here") == shown
    assert excerpt(end, "here") == shown


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_end_of_the_file(line_end: str) -> None:
    source = Source("a.cnn", "bn" + line_end)
    size = len(source.text)
    assert excerpt(Span(source, size, size), "here") == "  |\n2 |\n  | ^ here\n"
    assert excerpt(Span(source, size, size + 1), "here") == "  |\n2 |\n  | ^ here\n"
    source = Source("a.cnn", "bn")
    assert excerpt(Span(source, 2, 2), "here") == "  |\n1 | bn\n  |   ^ here\n"
    source = Source("a.cnn", "")
    assert excerpt(Span(source, 0, 0), "here") == "  |\n1 |\n  | ^ here\n"


def test_an_empty_span_is_one_caret() -> None:
    place = at(RESNET, "64").start
    assert excerpt(Span(RESNET, place, place)) == expected("""
          |
        5 |   conv 64 1x1
          |        ^
        """)


# ---- text: characters ----


@pytest.mark.parametrize(
    ("text", "row", "carets"),
    [
        ("\tconv X", "    conv X", "         ^"),
        ("ab\tX", "ab  X", "    ^"),
        ("abcd\tX", "abcd    X", "        ^"),
        ("漢字 X", "漢字 X", "     ^"),
        ("ｆX", "ｆX", "  ^"),
        ("🧠🚀 X", "🧠🚀 X", "     ^"),
        ("e\u0301 X", "e\u0301 X", "  ^"),
        ("\u3000X", "\u3000X", "  ^"),
        ("\xa0X", "\xa0X", " ^"),
        ("\x1b[31mX", r"\x1b[31mX", "        ^"),
        ("\x00X", r"\x00X", "    ^"),
        ("\x0b\x0c\x7f\x9bX", r"\x0b\x0c\x7f\x9bX", "                ^"),
        ("\u202eX", r"\u202eX", "      ^"),
        ("\u2066\u200b\ufeffX", r"\u2066\u200b\ufeffX", "                  ^"),
        ("\u2028X", r"\u2028X", "      ^"),
        ("\ud800X", r"\ud800X", "      ^"),
        ("\U000e0041X", r"\U000e0041X", "          ^"),
    ],
)
def test_carets_stand_under_their_characters(text: str, row: str, carets: str) -> None:
    shown = excerpt(at(Source("a.cnn", text), "X"))
    assert shown == f"  |\n1 | {row}\n  | {carets}\n"


@pytest.mark.parametrize(
    ("char", "carets"),
    [("\t", "^^^^"), ("漢", "^^"), ("\x1b", "^^^^"), ("\u202e", "^^^^^^"), ("\u0301", "^")],
)
def test_a_character_is_marked_over_its_whole_width(char: str, carets: str) -> None:
    source = Source("a.cnn", f"abcd{char}e")
    row = excerpt(at(source, char)).split("\n")[2]
    before = 3 if char == "\u0301" else 4  # an accent is marked where its letter stands
    assert row == f"  | {' ' * before}{carets}"


def test_nothing_of_a_hostile_file_reaches_the_terminal() -> None:
    evil = "a\x1b[2J\rb\u202ec"
    source = Source(evil, f"conv {evil}")
    span = at(source, "conv")
    hostile = Diagnostic(
        evil, evil, span, evil, (Label(span, evil), Label(span, "\n")), (evil,), evil
    )
    shown = r"a\x1b[2J\rb\u202ec"
    # The \r in the file's text ends a line there.
    assert render_text([hostile, Diagnostic("b", "c", file=evil)]) + "\n" == (
        f"error[{shown}]: {shown}\n"
        f" --> {shown}:1:1\n"
        "  |\n"
        "1 | conv a\\x1b[2J\n"
        f"  | ^^^^ {shown}\n"
        f"  | ---- {shown}\n"
        "  | ---- \\n\n"
        f"  = {shown}\n"
        f"  help: {shown}\n"
        "\n"
        "error[b]: c\n"
        f" --> {shown}\n"
    )


def test_show() -> None:
    assert show("conv 64 × 漢字 e\u0301\xa0") == "conv 64 × 漢字 e\u0301\xa0"
    assert show("a\tb\nc\x1b\x85\u200f\udcff\ue000") == r"a\tb\nc\x1b\x85\u200f\udcff\ue000"


# ---- text: long lines ----

LONG = Source("a.cnn", "  a: " + ", ".join(f"conv {n} same" for n in range(10, 1000)))


def test_a_long_line_is_cut_behind_a_place_near_its_start() -> None:
    assert excerpt(at(LONG, "conv 12"), "this", width=60) == expected("""
          |
        1 |   a: conv 10 same, conv 11 same, conv 12 same, conv 13 …
          |                                  ^^^^^^^ this
        """)


def test_a_long_line_is_cut_on_both_sides_of_a_place_in_its_middle() -> None:
    assert excerpt(at(LONG, "conv 500"), "this", width=60) == expected("""
          |
        1 | …conv 499 same, conv 500 same, conv 501 same, conv 502 …
          |                 ^^^^^^^^ this
        """)


def test_a_long_line_is_cut_in_front_of_a_place_near_its_end() -> None:
    end = len(LONG.text)
    assert excerpt(at(LONG, "999"), width=60) == expected("""
          |
        1 | … 996 same, conv 997 same, conv 998 same, conv 999 same
          |                                                ^^^
        """)
    assert excerpt(Span(LONG, end, end), width=60) == expected("""
          |
        1 | … 996 same, conv 997 same, conv 998 same, conv 999 same
          |                                                        ^
        """)


def test_a_place_longer_than_there_is_room_for() -> None:
    assert excerpt(Span(LONG, 5, len(LONG.text)), "all", width=40) == expected("""
          |
        1 |   a: conv 10 same, conv 11 same, co…
          |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |      all
        """)
    middle = between(at(LONG, "conv 500"), at(LONG, "conv 600"))
    assert excerpt(middle, width=40) == expected("""
          |
        1 | …9 same, conv 500 same, conv 501 sa…
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        """)


def test_places_too_far_apart_for_one_row_are_shown_one_after_the_other() -> None:
    labels = [
        Label(at(LONG, "conv 900"), "far"),
        Label(at(LONG, "a:"), "first"),
        Label(at(LONG, "conv 501"), "near"),
    ]
    assert excerpt(at(LONG, "conv 500"), "this", *labels, width=60) == expected("""
          |
        1 | …nv 499 same, conv 500 same, conv 501 same, conv 502 sa…
          |               ^^^^^^^^ this  -------- near
        1 |   a: conv 10 same, conv 11 same, conv 12 same, conv 13 …
          |   -- first
        1 | …conv 899 same, conv 900 same, conv 901 same, conv 902 …
          |                 -------- far
        """)


def test_a_text_that_does_not_fit_beside_its_marker_goes_below() -> None:
    source = Source("a.cnn", "a" * 30 + " b c")
    c = Label(at(source, "c"), "x")
    assert excerpt(at(source, "b"), "twenty characters xx", c, width=44) == expected("""
          |
        1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b c
          |                                ^
          |                     twenty characters xx
          |                                  - x
        """)
    long = "a text that is longer than the whole of the width"
    assert excerpt(at(source, "b"), long, width=44).split("\n")[3] == f"  | {long}"


def test_wide_characters_are_cut_whole() -> None:
    # Thirty-five columns are left for it: the markers take two, and so seventeen fit.
    source = Source("a.cnn", "漢" * 100 + "X" + "字" * 100)
    assert excerpt(at(source, "X"), width=40) == expected("""
          |
        1 | …漢漢漢漢漢X字字字字字字字字字字字…
          |            ^
        """)


def test_wide_characters_that_keep_two_places_apart() -> None:
    source = Source("a.cnn", "字" * 50 + "X" + "字" * 18 + "Y" + "字" * 50)
    assert excerpt(at(source, "X"), "x", Label(at(source, "Y"), "y"), width=40) == expected("""
          |
        1 | …字字字字X字字字字字字字字字字字字…
          |          ^ x
        1 | …字字字字字Y字字字字字字字字字字字…
          |            - y
        """)


def test_accents_without_end_are_cut() -> None:
    """Nothing is known of a character without looking at it, so the line is cut by their number."""
    source = Source("a.cnn", "a" + "\u0301" * 1000 + "X" + "\u0301" * 1000)
    shown = excerpt(at(source, "X"), width=40).split("\n")
    assert len(shown[1]) < 100
    assert shown[1].replace("\u0301", "") == "1 | …X…"
    assert shown[2] == "  |  ^"


def test_a_wide_escape_at_the_edge_is_shown_whole() -> None:
    source = Source("a.cnn", "a" * 24 + "\U000e0041" + "b")
    assert excerpt(Span(source, 24, 24), width=38) == expected("""
          |
        1 | …aaaaaaaaaaaaaaaaaaaaa\\U000e0041b
          |                       ^
        """)


@pytest.mark.parametrize("char", ["a", "漢", "\t", "\x1b", "\u0301"])
def test_ten_million_characters_on_a_line(char: str) -> None:
    """Rendering takes as long as for a short line: about a millisecond; reading all takes 100."""

    def seconds(length: int) -> float:
        source = Source("a.cnn", char * length + "X" + char * length)
        assert source.line_count == 1  # finding the lines is not what is measured
        whole = problem(Span(source, 0, len(source.text)), "", Label(at(source, "X"), ""))
        return processor_seconds(lambda: render_text([whole]), runs=5)

    assert seconds(5_000_000) < 10 * max(seconds(500), 0.001)


# ---- text: whatever the file and the place ----

TEXTS = st.text(
    st.sampled_from(
        "ab {}|\t\t漢🧠é\u0301\u0302\x00\x1b\x7f\x9b\u200b\u202e\u2066\ufeff\ud800\r\n\n"
    )
    | st.characters(),
    max_size=150,
)


@st.composite
def spans(draw: st.DrawFn, source: Source) -> Span:
    ends = sorted(draw(st.tuples(*[st.integers(0, len(source.text))] * 2)))
    return Span(source, *ends)


@st.composite
def problems(draw: st.DrawFn) -> Diagnostic:
    source = Source("a.cnn", draw(TEXTS))
    labels = draw(st.lists(st.builds(Label, spans(source), st.sampled_from(["", "text"]))))
    return problem(draw(spans(source)), draw(st.sampled_from(["", "text"])), *labels)


def displayed(char: str, column: int) -> str:
    if char == "\t":
        return " " * (4 - column % 4)
    if unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
        return ascii(char)[1:-1]
    return char


def columns(text: str) -> int:
    """As many as a terminal takes for a text without control characters."""
    marks = sum(unicodedata.category(char) in ("Mn", "Me") for char in text)
    vowels = sum(0x1160 <= ord(char) < 0x1200 for char in text)
    wide = sum(
        unicodedata.east_asian_width(char) in ("W", "F")
        and unicodedata.category(char) not in ("Mn", "Me")
        for char in text
    )
    return len(text) - marks - vowels + wide


@given(problems(), st.integers(0, 120))
def test_no_row_is_wider_than_the_terminal_and_none_moves_the_cursor(
    any_problem: Diagnostic, width: int
) -> None:
    text = render_text([any_problem], width=width)
    for line in text.split("\n"):
        assert not [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Cs")]
        if "text" not in line and "-->" not in line:
            assert columns(line) <= max(width, 20 + len("100 | "))


@given(st.data(), TEXTS, st.integers(30, 120) | st.just(10_000))
def test_the_first_caret_is_under_the_first_character(
    data: st.DataObject, text: str, width: int
) -> None:
    source = Source("a.cnn", text)
    span = data.draw(spans(source))
    row, carets = excerpt(span, width=width).split("\n")[1:3]
    gutter = carets.index("|") + 2
    column = carets.index("^") - gutter

    line, start = source.line(span.line), span.column - 1
    before = ""
    for char in line[:start]:
        before += displayed(char, columns(before))
    first = displayed(line[start], columns(before)) if start < len(line) else ""
    assume(not first or columns(first))  # otherwise it is drawn onto the one before
    if width == 10_000:
        assert column == columns(before)
    assert from_column(row[gutter:], column).startswith(first.strip())


def from_column(row: str, column: int) -> str:
    begins = [n for n in range(len(row) + 1) if columns(row[:n]) == column]
    return row[begins[-1] :] if begins else ""


# ---- text: many ----


def test_after_the_limit_they_are_counted() -> None:
    many = [problem(None)] * 5
    assert render_text(many, limit=5).count("error") == 5
    assert render_text(many, limit=3) == "error[code]: message\n\n" * 3 + "… and 2 more errors"
    assert render_text([problem(None)] * 21).endswith("\n\n… and 1 more error")


def test_warnings_do_not_keep_errors_from_being_shown() -> None:
    warning, error = problem(None, severity="warning"), problem(None)
    assert render_text([warning, warning, error, warning, error], limit=3) + "\n" == expected("""
        warning[code]: message

        error[code]: message

        error[code]: message

        … and 2 more warnings
        """)
    assert render_text([error, warning], limit=0) == "… and 1 more error, 1 more warning"


def test_summary() -> None:
    warning, error = problem(None, severity="warning"), problem(None)
    assert summary([error, warning, error]) == "2 errors, 1 warning"
    assert summary([error]) == "1 error"
    assert summary([warning, warning]) == "2 warnings"
    assert summary([]) == "no errors"


# ---- JSON ----


def json_of(*diagnostics: Diagnostic) -> Any:
    text = render_json(diagnostics)
    text.encode("ascii")
    return json.loads(text)


def test_json() -> None:
    word = at(RESNET, "identity")
    full = Diagnostic(
        "shape",
        "no × sum",
        between(at(RESNET, "residual", 1), at(RESNET, "conv width")),
        "here",
        (Label(at(RESNET, "bn"), "there"),),
        ("a note",),
        "write `auto`",
        (Edit(word, "auto"),),
        "warning",
    )
    assert json_of(full) == {
        "diagnostics": [
            {
                "code": "shape",
                "severity": "warning",
                "message": "no × sum",
                "file": "resnet.cnn",
                "start": {"line": 7, "column": 3},
                "end": {"line": 8, "column": 15},
                "label": "here",
                "labels": [
                    {
                        "message": "there",
                        "file": "resnet.cnn",
                        "start": {"line": 8, "column": 21},
                        "end": {"line": 8, "column": 23},
                    }
                ],
                "notes": ["a note"],
                "help": "write `auto`",
                "edits": [
                    {
                        "file": "resnet.cnn",
                        "start": {"line": 7, "column": 21},
                        "end": {"line": 7, "column": 29},
                        "text": "auto",
                    }
                ],
            }
        ]
    }


def test_json_without_a_place() -> None:
    [found] = json_of(problem(None, file="net.cnn"))["diagnostics"]
    assert found == {
        "code": "code",
        "severity": "error",
        "message": "message",
        "file": "net.cnn",
        "start": None,
        "end": None,
        "label": "",
        "labels": [],
        "notes": [],
        "help": "",
        "edits": [],
    }
    assert json_of() == {"diagnostics": []}


def test_json_has_no_half_characters() -> None:
    source = Source("a\udcff.cnn", "\ud800 bn")
    odd = problem(at(source, "\ud800"), "\ud800", Label(at(source, "bn"), "\udfff\ud83e\udde0"))
    assert "\\ud" not in render_json([odd]).replace("\\\\", "")
    [found] = json_of(odd)["diagnostics"]
    assert found["file"] == r"a\udcff.cnn"
    assert found["label"] == r"\ud800"


@given(problems())
def test_whatever_the_file_json_and_sarif_can_be_written_and_read(any_problem: Diagnostic) -> None:
    json_of(any_problem)
    sarif_of(any_problem)


# ---- SARIF ----


def sarif_of(*diagnostics: Diagnostic) -> Any:
    log = json.loads(render_sarif(diagnostics, "1.2.3"))
    check_sarif(log)
    return log["runs"][0]


def check_sarif(log: Any) -> None:
    """What the schema of SARIF 2.1.0 asks of the parts that are used."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    [run] = log["runs"]
    assert run.keys() == {"tool", "columnKind", "results"}
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            assert location.keys() <= {"physicalLocation", "message"}
            assert not location.get("message") or location["message"]["text"]
            check_sarif_place(**location["physicalLocation"])
        for fix in result.get("fixes", []):
            for change in fix["artifactChanges"]:
                assert change["replacements"]
                for replacement in change["replacements"]:
                    check_sarif_place(change["artifactLocation"], replacement["deletedRegion"])


def check_sarif_place(
    artifactLocation: dict[str, str],  # noqa: N803
    region: dict[str, int] | None = None,
) -> None:
    uri = artifactLocation["uri"]
    assert uri.isascii()
    assert " " not in uri
    if region:
        start = region["startLine"], region["startColumn"]
        assert (1, 1) <= start <= (region["endLine"], region["endColumn"])


def test_sarif() -> None:
    word = at(RESNET, "identity")
    full = Diagnostic(
        "shape",
        "no sum",
        word,
        "here",
        (Label(at(RESNET, "bn"), "there"),),
        ("a note",),
        "write `auto`",
        (Edit(word, "auto"), Edit(at(RESNET, "64"), "")),
        "warning",
    )
    region = {"startLine": 7, "startColumn": 21, "endLine": 7, "endColumn": 29}
    artifact = {"uri": "resnet.cnn"}
    run = sarif_of(full, problem(None, file="net.cnn"), full, problem(None))
    assert run["tool"]["driver"] == {
        "name": "dotcnn",
        "version": "1.2.3",
        "rules": [{"id": "code"}, {"id": "shape"}],
    }
    assert run["columnKind"] == "unicodeCodePoints"
    first, second, third, fourth = run["results"]
    assert first == third
    assert first == {
        "ruleId": "shape",
        "ruleIndex": 1,
        "level": "warning",
        "message": {"text": "no sum\na note\nhelp: write `auto`"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": region},
                "message": {"text": "here"},
            }
        ],
        "relatedLocations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": 8, "startColumn": 21, "endLine": 8, "endColumn": 23},
                },
                "message": {"text": "there"},
            }
        ],
        "fixes": [
            {
                "description": {"text": "write `auto`"},
                "artifactChanges": [
                    {
                        "artifactLocation": artifact,
                        "replacements": [
                            {"deletedRegion": region, "insertedContent": {"text": "auto"}},
                            {
                                "deletedRegion": {
                                    "startLine": 5,
                                    "startColumn": 8,
                                    "endLine": 5,
                                    "endColumn": 10,
                                }
                            },
                        ],
                    }
                ],
            }
        ],
    }
    assert second["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "net.cnn"}}}]
    assert fourth["locations"] == []


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("blocks/vgg.cnn", "blocks/vgg.cnn"),
        ("./vgg.cnn", "vgg.cnn"),
        ("../my nets/100%.cnn", "../my%20nets/100%25.cnn"),
        ("名#1?.cnn", "%E5%90%8D%231%3F.cnn"),
        ("c:net.cnn", "c%3Anet.cnn"),
        ("<stdin>", "%3Cstdin%3E"),
        ("a\udcff.cnn", "a%FF.cnn"),
        ("a\ud800.cnn", "a%3F.cnn"),
    ],
)
def test_names_of_files_as_uris(name: str, uri: str) -> None:
    [result] = sarif_of(problem(None, file=name))["results"]
    [location] = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_an_absolute_name_is_an_absolute_uri(tmp_path: Path) -> None:
    file = tmp_path / "my net.cnn"
    [result] = sarif_of(problem(None, file=str(file)))["results"]
    [location] = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == file.as_uri()
