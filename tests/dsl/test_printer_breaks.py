"""Long lines break where they must; deep and long texts take no longer than they must."""

from __future__ import annotations

import pytest

from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import WIDTH, print_spec
from support import processor_seconds

from .printing import formatted

LONG = "a_name_of_thirty_characters_xx"
assert len(LONG) == 30


@pytest.mark.parametrize(
    "text",
    [
        f"let a = [{LONG}, {LONG}, …]",
        f"conv {LONG}, conv {LONG}, …",
        f"residual {{ conv {LONG}, bn … }}",
        f"if {LONG} {{ conv {LONG} }} else {{ … }}",
        f"block b({LONG}, …) {{}}",
        f"conv max({LONG}, …)*2 {{}}",
    ],
)
def test_a_line_breaks_only_where_it_must(text: str) -> None:
    fits = text.replace("…", "x" * (WIDTH + 1 - len(text))) + "\n"
    assert formatted(fits) == fits
    broken = formatted(fits.replace("xx", "xxx", 1))
    assert max(map(len, broken.split("\n"))) <= WIDTH


def test_statements_break_at_commas() -> None:
    assert formatted(f"conv {LONG}, " * 5) == (
        f"conv {LONG}, conv {LONG}\nconv {LONG}, conv {LONG}\nconv {LONG}\n"
    )
    assert formatted(f"conv {LONG}, conv {LONG} {LONG}, bn") == (
        f"conv {LONG}\nconv {LONG} {LONG}, bn\n"
    )


def test_bodies_break_from_the_outside() -> None:
    text = f"residual {{ repeat 3 {{ {LONG}, {LONG} }}, {LONG} }}"
    assert formatted(text) == (f"residual {{\n  repeat 3 {{ {LONG}, {LONG} }}\n  {LONG}\n}}\n")
    text = f"if {LONG} {{ {LONG} }} else {{ {LONG} }}"
    assert formatted(text) == f"if {LONG} {{\n  {LONG}\n}} else {{\n  {LONG}\n}}\n"
    text = f"add {{ | {LONG}, {LONG} | {LONG} | {LONG} }}"
    assert formatted(text) == f"add {{\n  | {LONG}, {LONG}\n  | {LONG}\n  | {LONG}\n}}\n"


def test_brackets_break_one_item_a_line() -> None:
    items = ", ".join([LONG] * 4)
    rows = f"  {LONG},\n" * 4
    assert formatted(f"let a = [{items}]") == f"let a = [\n{rows}]\n"
    assert formatted(f"conv 3 ({items}) 3x3") == f"conv 3 (\n{rows}) 3x3\n"
    assert formatted(f"conv max({items})*2 bn") == f"conv max(\n{rows})*2 bn\n"
    assert formatted(f"block a({items}) {{ bn }}") == f"block a(\n{rows}) {{\n  bn\n}}\n"
    assert formatted(f"for a in [{items}] {{ bn }}") == f"for a in [\n{rows}] {{\n  bn\n}}\n"


def test_brackets_break_from_the_outside_and_only_where_they_must() -> None:
    row = f"({LONG}, {LONG})"
    assert formatted(f"let a = [{row}, {row}]") == f"let a = [\n  {row},\n  {row},\n]\n"
    items = ", ".join([LONG] * 4)
    assert formatted(f"conv [1, 2] [{items}] [3, 4]") == (
        "conv [1, 2] [\n" + f"  {LONG},\n" * 4 + "] [3, 4]\n"
    )
    assert formatted(f"let a = [1, [{items}], 2]") == (
        "let a = [\n  1,\n  [\n" + f"    {LONG},\n" * 4 + "  ],\n  2,\n]\n"
    )


def test_rows_of_a_table_break_where_they_are_too_long() -> None:
    text = f"let a = [\n{LONG}, {LONG}, {LONG}, {LONG},\n1, 2]"
    assert formatted(text) == (f"let a = [\n  {LONG}, {LONG}, {LONG},\n  {LONG},\n  1, 2,\n]\n")


def test_what_cannot_be_broken_is_left_long() -> None:
    for text in (f"conv {' '.join([LONG] * 5)}\n", f"let a = {' + '.join([LONG] * 5)}\n"):
        assert formatted(text) == text
    text = f"conv {LONG} # {LONG * 5}\nbn\n"
    assert formatted(text) == text


# ---- at the limits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a { " * 99 + "b" + " }" * 99,
        "a {\n" * 99 + "b" + "\n}" * 99,
        "if a { | " * 99 + f"b {'-' * 98}c" + "\n} else { bn }" * 99,
        "let a = " + "f(a=[" * 49 + "b" + "])" * 49,
        "let a = " + "f(a=[" * 49 + "b # c\n" + "])" * 49,
        "let a = " + "(a - " * 98 + "b" + ")" * 98,
        "let a = " + "(a # c\n - " * 98 + "b" + ")" * 98,
        "if a {\n|" * 98 + f"let b = ({'-' * 98}c # c\n)" + "\n} else { bn }" * 98,
    ],
)
def test_deep_nesting(text: str) -> None:
    formatted(text)


PART = """
  conv 64 7x7 stride=2 same, bn, relu
  for width, depth, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2)] { # a comment
    repeat depth - 1 { bottleneck width stride=stride }
  }
  inception {
    | conv 64 1x1, relu
    |
  }
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "network N {" + PART * 1250 + "}",
        "network N {" + PART.replace("\n", " # a\n") * 1250 + "}",
        "{ ".join(["a "] * 99) + "a" + " 1" * 40_000 + " }" * 98,
        "let a = " + "[" * 95 + ", ".join("1" * 30_000) + "]" * 95,
        "let a = " + "[" * 95 + "a + b, # c\n" * 10_000 + "]" * 95,
        "a" + " (b # c\n + d)" * 10_000,
        "if a { b }" + "\nelse if a { b } # c" * 10_000,
        "add {" + "\n| a # b\n # c" * 10_000 + "\n}",
    ],
)
def test_long_texts_take_no_longer_than_they_must(text: str) -> None:
    """Some 10,000 lines or 30,000 words each: laying out takes less than twice as long as reading,
    whatever the machine; five times leaves room."""
    spec = parse(text)
    reading = processor_seconds(lambda: parse(text), runs=2)
    assert processor_seconds(lambda: print_spec(spec), runs=2) < 5 * reading
