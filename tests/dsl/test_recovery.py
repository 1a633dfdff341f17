"""Several mistakes in one file: each is told once, at its own line, and nothing else is.

In the specs below a comment `#! code` stands behind a mistake, on the line that the message is to
point at; for two of them on a line, `#! code code`. What is not marked must not be reported.
"""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from dotcnn.dsl.mistakes import TABLE
from dotcnn.dsl.parser import read
from dotcnn.dsl.source import Source

SPECS = {
    "a first spec by somebody who knows Python": """
        import blocks                                 #! import-path

        network MyNet(classes = 10):                  #! spaced-equals colon-for-brace
          input 3x224x224
          x = conv(64, 7, stride=2)                   #! assignment
          relu()                                      #! python-call
          for i in [1, 2, 3]:                         #! colon-for-brace
            conv 64*i 3x3
          if classes == 10:                           #! colon-for-brace
            dropout .5                                #! bad-number
          elif classes == 100:                        #! else-if
            dropout 0.2
          fc classes
        """,
    "small slips in a good spec": """
        block unit(width, stride = 1) {               #! spaced-equals
          residual {
            conv width 3 x 3 stride=stride same, bn, relu   #! spaced-size
            conv width 3x3 same, bn
          } relu                                      #! missing-separator
        }

        network Net {
          input 3x32x32
          conv 64, 3x3, same                          #! comma-in-arguments
          for width depth in [(64, 3), (128, 4)] {    #! for-in
            repeat depth i { unit width }             #! repeat
          }
          pool avg global; flatten                    #! foreign-sign
          fc 10
        }
        """,
    "every kind of bracket": """
        network Net {
          conv 3)                                     #! unopened-bracket
          conv max(1, 2                               #! unclosed-bracket
          for a in [1, 2 {                            #! unclosed-bracket
            conv a
          }
          for a in [(1, 2], (3, 4)] {                 #! unclosed-bracket
            conv a
          }
          conv [1,, 2]                                #! extra-comma
          conv [1 2]                                  #! missing-comma
          conv ()                                     #! missing-value
          conv 64
        }
        """,
    "lists over several lines": """
        network Net {
          for a, b in [
            (1, 2),
            (3}, 4),                                  #! inside-brackets
            (5, 6),
          ] { conv a }
          for a, b in [
            (1, 2),
            (3], 4),                                  #! unclosed-bracket
            (5, 6),
          ] { conv a }
          for a, b in [
            (1, 2),
            (3), 4),                                  #! unclosed-bracket
            5, 6),                                    #! unclosed-bracket
            (7, 8),
          ] { conv a }
          for a, b in [
            (1 2),                                    #! missing-comma
            (3,, 4),                                  #! extra-comma
            (5, 6),
          ] { conv a }
          for a in [                                  #! unclosed-bracket
            (1, 2),
            (3, 4)
          {
            conv a
          }
          for a in [                                  #! unclosed-bracket
            [1, 2],
            [3, 4
          ] {
            conv a
          }
          conv 3 = 4                                  #! stray-equals
        }
        network Other(
          width=3},                                   #! inside-brackets
          depth=4
        ) {
          relu
        }
        """,
    "a list without its beginning": """
        network Net {
          for a, b in                                 #! missing-value
            (1, 2),
            (3, 4),
            (5, 6)
          { conv a }                                  #! stray-brace
          64 conv                                     #! statement-start
          conv 64
          64 conv                                     #! statement-start
        }
        """,
    "braces, here and there": """
        block a(x) {
          residual {                                  #! unclosed-brace
            conv x
        }

        block b(x) {                                  #! unclosed-brace
          conv x

        network Net {
          input 3x8x8
          if a > 3 {                                  #! unclosed-brace
            relu
          else {
            bn
          }
          conv 64 3x3 = 3                             #! stray-equals
        }
        """,
    "a brace by mistake before a definition": """
        import "a.cnn"
        {block b(x) {                                 #! stray-brace
          conv x = 3                                  #! spaced-equals
        }
        {import "b.cnn"                               #! stray-brace
        network Net {
          relu
        }
        """,
    "all on one line": """
        a { if b == 0 c } else { d } }                #! missing-brace
        a { if b == 0 { c } else d } }                #! missing-brace
        a { b } c                                     #! missing-separator
        relu
        """,
    "braces too many": """
        block a(x) {
          conv x }                                    #! unopened-brace
        }

        network Net {
          repeat 3                                    #! missing-brace
            conv 64
          }
          residual
          {                                           #! stray-brace
            conv 64
          }
          { relu }                                    #! stray-brace
          conv 64: 3                                  #! stray-colon
        }
        }                                             #! unopened-brace
        """,
    "text and comments": """
        // a comment                                  #! comment
        -- another                                    #! comment
        train {
          data folder 'flowers'                       #! quotes
          epochs 30   /* or more */                   #! comment
          split "a\\qb"                                #! bad-escape
          batch 64 -2                                 #! ambiguous-minus
          conv 64 3x3 // as in the paper              #! comment
          relu // { and so on                         #! comment
          conv 64, // a list                          #! comment
          residual { // a body                        #! comment
            bn, relu
          } // of it                                  #! comment
        }
        """,
    "names": """
        let in = 3                                    #! reserved-word
        let x 3                                       #! let
        let x, y = 3, 4                               #! let
        y = 4                                         #! assignment
        3d: conv 64                                   #! bad-number
        stem.a: conv 64                               #! label
        a: b: conv 64                                 #! two-labels
        network Res-Net { relu }                      #! bad-name
        network { relu }                              #! missing-name
        block b width=3 { conv width }                #! parameter
        block c(x: int, y: 3, 4) { conv x }           #! parameter parameter parameter
        block ok(x, y=3) { conv x }
        """,
    "conditions": """
        if a = 1 and b = 2 { relu }                   #! equals-in-condition equals-in-condition
        if a && b || c { relu }                       #! foreign-sign or
        if !a { relu }                                #! foreign-sign
        if 1 < a < 3 { relu }                         #! chained-comparison
        if a then { relu } else b { bn }              #! missing-brace else
        relu
        else { relu }                                 #! else
        if a { relu } else { bn } else { conv 3 }     #! else
        if { relu }                                   #! missing-value
        if a and { relu }                             #! missing-operand
        if a { relu } else { bn }
        """,
    "paths": """
        network Net {
          inception {
            conv 1x1
            | conv 3x3                                #! stray-bar
            | conv 5x5
          }
          concat { | conv 3 | conv 5 = 3 | relu }     #! stray-equals
          concat { | conv 3 * | conv 5 5 ) | relu }   #! missing-operand unopened-bracket
          relu | bn                                   #! stray-bar
          concat { | conv 3 | | conv 5 }
        }
        """,
    "what belongs at the top": """
        network Net {
          import "a.cnn"                              #! misplaced-definition
          residual {
            block b(x) { conv x = 3 }                 #! misplaced-definition spaced-equals
          }
          repeat 2 { network Inner { relu } }         #! misplaced-definition
        }
        import "a.cnn", "b.cnn"                       #! import-names
        from a import b                               #! import-names
        import 'a.cnn'                                #! quotes
        """,
    "values that cannot be": """
        conv 4 *                                      #! missing-operand
        conv * 4                                      #! missing-operand
        conv stride=                                  #! missing-value
        conv - 3                                      #! missing-operand
        conv 20 % same                                #! @nothing
        crop 0..1..2                                  #! chained-comparison
        crop 0...1                                    #! foreign-sign
        let a = if b { 3 } else { 4 }                 #! statement-as-value
        conv [x for x in y]                           #! statement-as-value
        conv a[]                                      #! missing-value
        conv 2^3                                      #! foreign-sign
        conv 3D                                       #! bad-number
        conv größe                                    #! foreign-word
        conv 64
        """,
}


def wanted(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        marked = re.search(r"#!(.*)", line)
        codes = marked.group(1).split() if marked else []
        found += [(number, code) for code in codes if code != "@nothing"]
    return sorted(found)


def told(text: str) -> list[tuple[int, str]]:
    diagnostics = read(Source("net.cnn", text))[1]
    return sorted((it.span.line if it.span else 0, it.code) for it in diagnostics)


@pytest.mark.parametrize("name", SPECS)
def test_each_mistake_is_told_once(name: str) -> None:
    text = dedent(SPECS[name]).lstrip("\n")
    assert told(text) == wanted(text)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_make_no_difference(name: str, end: str) -> None:
    text = dedent(SPECS[name]).lstrip("\n")
    assert told(text.replace("\n", end)) == wanted(text)


@pytest.mark.parametrize("name", SPECS)
def test_neither_does_the_end_of_the_file(name: str) -> None:
    """Without a line end behind the last line, and with blanks or a comment there."""
    text = dedent(SPECS[name]).strip("\n")
    for end in ("", "  ", " \t"):
        assert [it for it in told(text + end) if it[1] != "tab"] == wanted(text)


def test_all_mistakes_of_the_table_in_one_file() -> None:
    """Each in a network of its own; all are told, and no other."""
    codes = []
    parts = []
    for code, snippet, _ in TABLE:
        if snippet.startswith(
            ("network", "sweep", "block", "import", "from", "a: block", "//", "--", "%")
        ):
            parts.append(snippet)
        else:
            indented = snippet.strip("\n").replace("\n", "\n  ")
            parts.append(f"network Net {{\n  {indented}\n}}")
        codes.append(code)
    for begin in range(0, len(parts), 40):  # more than fifty would not be told
        some = slice(begin, begin + 40)
        found = [code for _, code in told("\n\n".join(parts[some]) + "\n")]
        assert sorted(found) == sorted(codes[some])


def test_after_fifty_mistakes_no_more_are_told() -> None:
    assert len(told("conv(3)\n" * 1000)) == 50
    assert len(told("conv .5\n" * 1000)) == 50


def test_mistakes_are_told_in_the_order_of_the_file() -> None:
    """Whoever found them: those of characters, of braces and of statements are mixed."""
    text = "conv 3D\nconv = 3\n}\nconv 'a'\nconv(3)\n{ a }\n"
    spans = [it.span for it in read(Source("net.cnn", text))[1]]
    starts = [span.start for span in spans if span]
    assert len(starts) == 6
    assert starts == sorted(starts)
