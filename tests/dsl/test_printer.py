"""The canonical layout: texts that have it, texts before and after, and random ones."""

from __future__ import annotations

import re
from random import Random
from textwrap import dedent

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.lexer import lex
from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import WIDTH, print_spec
from dotcnn.dsl.source import Source
from dotcnn.dsl.syntax import Node, Spec, walk
from networks import network
from random_networks import specs as networks
from support import processor_seconds

from .strategies import Text, texts


def formatted(text: str) -> str:
    """The canonical text; what holds of every one is checked on the way."""
    spec = parse(text)
    result = print_spec(spec)
    again = parse(result)
    assert shape(again) == shape(spec)
    assert print_spec(again) == result
    assert [comment.text for comment in again.comments] == [c.text for c in spec.comments]
    assert places_of_comments(result) == places_of_comments(text)
    assert not re.search(r"[ \t\r]\n|\n\n\n|\A\n|\n\n\Z|[^\n]\Z", result)
    return result


def shape(spec: Spec) -> list[object]:
    """The tree as a flat list: comparing deep ones with `==` recurses too deeply for Python."""
    found: list[object] = []
    for node in walk(spec):
        found.append(type(node))
        for value in node.said():
            if not isinstance(value, Node):
                nodes = isinstance(value, tuple) and all(isinstance(v, Node) for v in value)
                found.append(len(value) if nodes else value)
    return found


# What may stand on the other side of a comment afterwards: separators, brackets that are not in
# the tree, and the words in front of an operand, which stay with it.
_MOVES = frozenset(
    "NEWLINE COMMA LPAR RPAR KEY EQUAL PLUS MINUS NEGATIVE TIMES DIVIDE FLOOR_DIVIDE MODULO"
    " COMPARISON AND OR NOT TO POWER AT IF ELSE".split()
)


def places_of_comments(text: str) -> list[tuple[str, int]]:
    """The comments, each with the number of words in front of it."""
    lexed = lex(Source("<text>", text))
    found = []
    words = index = 0
    for comment in lexed.comments:
        while index < len(lexed.starts) and lexed.starts[index] < comment.span.start:
            kind = lexed.types[index]
            let_name = kind == "WORD" and lexed.types[index - 1 : index] == ["LET"]  # or a KEY
            words += kind not in _MOVES and not kind.startswith("__") and not let_name
            index += 1
        found.append((comment.text, words))
    return found


def in_network(text: str) -> str:
    """Two levels deeper than it is written here."""
    return (
        "network N {\n" + "".join(f"  {line}\n" if line else "\n" for line in lines(text)) + "}\n"
    )


def lines(text: str) -> list[str]:
    return dedent(text).strip("\n").split("\n")


# ---- texts that stay as they are -------------------------------------------------------------

CANONICAL_FILES = {
    "empty": "",
    "only comments": """
        # One.

        # Two.
        # Three.
    """,
    "a whole program": """
        # resnet50.cnn: He et al., 2015, arXiv:1512.03385
        import "blocks/gate.cnn"
        import "blocks/stem.cnn"

        block bottleneck(width, stride=1) {
          residual {
            conv width 1x1, bn, relu
            conv width 3x3 stride=stride same, bn, relu

            conv 4*width 1x1, bn # the widest
          }
          relu
        }

        # What the paper calls conv1 to conv5.
        network ResNet50(p=0.2) { # without auxiliary outputs
          input 3x224x224
          stem: conv 64 7x7 stride=2 same, bn, relu
          for width, depth, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2)] {
            bottleneck width stride=stride
            repeat depth - 1 as i { bottleneck width }
          }
          let last = channels//2
          if last > 1000 and p > 0 { dropout p } else if p == 0 { relu } else {}
          pool avg global, flatten
          fc classes
          # softmax is not needed: the loss has it
        }

        train {
          data folder "flowers" val=20%
          optimizer sgd lr=0.05 momentum=0.9 nesterov weight_decay=5e-4
        }

        augment { crop 224 scale=0.35..1, rotate -20..20 }

        transfer {
          freeze until layer4.0.conv1
          head reset lr=10x
        }
    """,
    "plain lines at the top": """
        seed 3
        let x = 4

        # about a
        let a = 3
        # about b
        let b = 4, epochs 3
    """,
    "a comment that stands apart from a definition": """
        # About the file.

        # About a.
        block a {}
        # Behind a.

        # Before b.
        block b {}

        # At the end.
    """,
}


@pytest.mark.parametrize("name", CANONICAL_FILES)
def test_canonical_files_stay(name: str) -> None:
    text = dedent(CANONICAL_FILES[name]).lstrip("\n")
    assert formatted(text) == text


CANONICAL_STATEMENTS = {
    "paths": """
        inception {
          | conv 64 1x1, relu
          | conv 96 1x1, relu
            conv 128 3x3 same, relu
          |
          | residual {
              conv 3
            }
            relu
        }
    """,
    "paths on one line": "add { | conv 64, relu | | fc 3 }",
    "a path that begins with a body": """
        add {
          | repeat 3 { conv 3, bn }
            bn
        }
    """,
    "branches of if": """
        if a {
          conv 3
        } else if not b {
        } else {
          | relu
          |
        }
    """,
    "bodies inside bodies on one line": "residual { repeat 3 { conv 64, bn }, relu }",
    "empty bodies": "residual {}, dense {}",
    "labels": """
        a: conv 3
        b: repeat 3 { c: bn }
        d: for x in y { relu }
        e: if x { relu }
    """,
    "blank lines": """
        conv 3

        bn

        # Comments have them, too.

        # Two in a row.
        relu
    """,
    "comments": """
        # before
        conv 3 # behind
        # between
        bn, relu # behind two
        residual { # behind a brace
          # at the start
          conv 3
          # at the end
        } # behind a closing brace
        dense {
          # alone
        }
        dense { # alone
        }
        dense { # alone
          # with another
        }
    """,
    "comments beside paths": """
        add { # both
          # the first
          | # about it
            conv 3 # its first line
            # within it
            bn
            # at its end
          # the second
          |
            # is empty
          # the third
          |
            # begins with this
            conv 3
            # ends with this
          # after all
        }
    """,
    "comments beside else": """
        if a {
          conv 3
        } # behind the brace
        # before else
        else if b {
          # in its body
          conv 3
        }
        # before the last
        else { # behind it
        }
    """,
    "comments in lists": """
        for width, depth in [ # widths and depths
          (64, 3), # the first stage
          # the second stage
          (128, 4),
          # no third
        ] {
          conv width # behind
        }
    """,
    "comments in all brackets": """
        let a = ( # behind a bracket
          1,
          [ # two of them
            max( # three
              4,
              by=5, # five
            ),
          ],
        )
    """,
    "comments in empty brackets": """
        let a = [ # nothing
        ]
        let b = f(
          # nothing
        )
    """,
    "comments in operations": """
        let a = ( # why
          b
          # because
          + c # that
          # is
        )
        conv (
          a # wide
          *b
        ) 3x3 stride=(
          # long
          c
        )
        let d = max(
          a # inside
            + b
            # of an
            - c, # argument
          3,
        )
        if (
          a # this
          and b # that
        ) {
          conv 3
        }
    """,
    "rows of a table": """
        for a, b in [
          (1, 2), (3, 4), # two to begin with
          (5, 6),
          (7, 8), (9, 10), (11, 12),
        ] {
          conv a
        }
    """,
    "lists kept open": """
        let a = [
          1,
        ]
        let b = max(
          [
            1,
          ],
          2, 3,
        )
    """,
    "operations": """
        let a = b + c*d - e//f/g
        let a = b*(c + d) - (e - f)
        let a = (b + c)*d/2
        let a = b % c * d // e
        let a = b * -c
        let a = -b*c + -(d + e) - -f
        let a = 20 % 3 + 20% * -1
        let a = (b or c) and not d == (e and f)
        let a = not (b or not c)
        let a = (b < c) == (not d)
        let a = b - (c - d) - e
        let a = max(8, channels/16)*2
        let a = (1, 2), let b = (1,), let c = []
        let a = f(), let b = f(-1, by=-2)
    """,
    "arguments": """
        conv 64 (-1) (depth - 1) stride=-1 pad=(a - b)
        conv -1 4*width (a + b)*c (not d) (a == b) on
        rotate -20..20, rotate 0.35..1 (-20..20), rotate a*2..b*2 p=-1..1
        rotate (a + 1 .. b - 1) (on .. off)
        k (3, 1) [3, 1] (a..b)..c
        repeat a - 1 {}, for b in c + 1 {}, if -a < b {}
    """,
    "numbers and names that would be sizes together": """
        a (10x) 3, b (3) x 3, c (3) x3, d 1..(3) x3*2, e (3) x3=4, f (3) x3(4)
        conv x 3, conv 3 x, conv 64 x 3x3, pool max 3, a 10x (3 - 1), a 10x 3x3, conv2 x 3
    """,
    "spelling": 'a 5e-4 0.50 1E3 007 20.0% 1.5x 3x224x224 "a\\"b" layer1.0.conv2',
}


@pytest.mark.parametrize("name", CANONICAL_STATEMENTS)
def test_canonical_statements_stay(name: str) -> None:
    text = in_network(CANONICAL_STATEMENTS[name])
    assert formatted(text) == text


# ---- before and after ------------------------------------------------------------------------

STATEMENTS = {
    "blanks": (
        """
        conv   64\t7x7 ,bn,relu
        a:conv 3
        a  :  conv 3
        residual{conv 3,bn}
        let x=3
        for a,b in[1,2]{bn}
        if(a){bn}else{relu}
        repeat(3)as i{bn}
        """,
        """
        conv 64 7x7, bn, relu
        a: conv 3
        a: conv 3
        residual { conv 3, bn }
        let x = 3
        for a, b in [1, 2] { bn }
        if a { bn } else { relu }
        repeat 3 as i { bn }
        """,
    ),
    "separators": (
        """
        ,
        conv 3,
        bn,,relu,

        , tanh
        """,
        """
        conv 3
        bn, relu

        tanh
        """,
    ),
    "blank lines": (
        """
        residual {


          conv 3



          bn

        }


        add {

          | conv 3


          |

          | bn

        }
        """,
        """
        residual {
          conv 3

          bn
        }

        add {
          | conv 3

          |

          | bn
        }
        """,
    ),
    "operations": (
        """
        let a = b-c+d * e / f // g%h
        let a = ((b)+((c)*(d)))
        let a = (b*c)+(d and e)
        let a = not(b) and(c)
        let a = b==c
        let a = (((1, (2))))
        """,
        """
        let a = b - c + d*e/f//g % h
        let a = b + c*d
        let a = b*c + (d and e)
        let a = not b and c
        let a = b == c
        let a = (1, 2)
        """,
    ),
    "arguments": (
        "conv a - b c+1 (3) stride=a-b (-1)..4 (x)",
        "conv (a - b) (c + 1) 3 stride=(a - b) (-1..4) x",
    ),
    "bodies on several lines": (
        """
        residual { conv 3
        }
        residual {
          conv 3, bn }
        residual {
        }
        if a { conv 3 }
        else { bn }
        add { | conv 3
          | }
        """,
        """
        residual {
          conv 3
        }
        residual {
          conv 3, bn
        }
        residual {}
        if a {
          conv 3
        } else {
          bn
        }
        add {
          | conv 3
          |
        }
        """,
    ),
    "nothing shares a line with several": (
        """
        conv 3, residual {
          conv 3 }, relu, bn
        add { | residual {
          bn }, relu | fc 3 }
        """,
        """
        conv 3
        residual {
          conv 3
        }
        relu, bn
        add {
          | residual {
              bn
            }
            relu
          | fc 3
        }
        """,
    ),
    "paths": (
        """
        add {
        |
        conv 3
        bn | fc 4
        | relu
        }
        """,
        """
        add {
          | conv 3
            bn
          | fc 4
          | relu
        }
        """,
    ),
    "lists that were broken for nothing": (
        """
        let a = [1,
          2]
        let a = [1, 2,]
        let a = max(
          1,
          2
        )
        """,
        """
        let a = [1, 2]
        let a = [1, 2]
        let a = max(1, 2)
        """,
    ),
    "lists kept open": (
        """
        let a = [1, (2,
          3),
          ]
        for a in [1,
        ] { bn }
        """,
        """
        let a = [
          1, (2, 3),
        ]
        for a in [
          1,
        ] {
          bn
        }
        """,
    ),
    "comments between statements": (
        """
        conv 3# a
            # b
        residual { # c
         bn } # d
        relu, # e
        bn
        , # f
        tanh
        """,
        """
        conv 3 # a
        # b
        residual { # c
          bn
        } # d
        relu # e
        bn
        # f
        tanh
        """,
    ),
    "comments in lists": (
        """
        for a in [1, 2, # a
          3
            # b

            # c
          , # d
          4 # e
          , # f
        ] { # g
          bn }
        """,
        """
        for a in [
          1, 2, # a
          3,
          # b
          # c
          # d
          4, # e
          # f
        ] { # g
          bn
        }
        """,
    ),
    "comments in parentheses": (
        """
        let a = (b + # c
          d)
        conv (# a
          3) (b # c
        )
        let a = f(# a
          3*(b # c
          + d))
        let a = f(b=# c
          3)
        """,
        """
        let a = (
          b # c
          + d
        )
        conv ( # a
          3
        ) (
          b # c
        )
        let a = f( # a
          3*(b # c
            + d),
        )
        let a = f( # c
          b=3,
        )
        """,
    ),
    "comments beside else": (
        """
        if a { bn } # a
          # b

        else { relu # c
        }
        """,
        """
        if a {
          bn
        } # a
        # b
        else {
          relu # c
        }
        """,
    ),
    "text": (
        r'a "\u0022\u005c\u0009\u000d\u00e9\u200d\u202E" "a	b"',
        r'a "\"\\\t\u000dé‍\u202e" "a\tb"',
    ),
    "sizes": ("a 03x3", "a 3x3"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements(name: str) -> None:
    before, after = STATEMENTS[name]
    assert formatted("network N {" + dedent(before) + "\n}") == in_network(after)


FILES = {
    "definitions": (
        """
        import "a", import "b"
        block a() { bn }
        # about b
        network b {}, train {



        epochs 3 }


        # apart

        seed 3
        seed 4
        """,
        """
        import "a", import "b"

        block a { bn }

        # about b
        network b {}

        train {
          epochs 3
        }

        # apart

        seed 3
        seed 4
        """,
    ),
    "comments behind definitions": (
        """
        block a {} # a
        # b
        block b {} # c
        # d

        # e
        # f
        block c {}
        # g
        """,
        """
        block a {} # a

        # b
        block b {} # c
        # d

        # e
        # f
        block c {}
        # g
        """,
    ),
    "parameters": (
        """
        block a(b,c=d-1,){ bn }
        block a(
          b, c=(d, 1),
        ) { bn }
        block a( # a
          b # b
          , c=( # c
          3)) {}
        """,
        """
        block a(b, c=d - 1) { bn }

        block a(
          b, c=(d, 1),
        ) {
          bn
        }

        block a( # a
          b, # b
          # c
          c=3,
        ) {}
        """,
    ),
    "only comments and blank lines": ("\n\n  # a  \n\n\n# b\n\n", "# a\n\n# b\n"),
    "only separators": ("\n,,\n  ,\n", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str) -> None:
    before, after = FILES[name]
    assert formatted(dedent(before)) == dedent(after).lstrip("\n")


def test_comments_of_empty_parameters_move_into_the_body() -> None:
    """Empty parameters are not in the tree; what stands in them stays in front of the body."""
    for text in ("block a( # why\n) {}", "block a(\n# why\n) {}"):
        assert print_spec(parse(text)) == "block a { # why\n}\n"


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends(line_end: str) -> None:
    text = in_network(CANONICAL_STATEMENTS["comments"] + CANONICAL_STATEMENTS["rows of a table"])
    text += "\n# a\n\n# b\n"
    assert formatted(text.replace("\n", line_end)) == text


def test_anything_in_a_comment_stays() -> None:
    text = '#\tno blank, "quotes", { ( [ | \x0c é \u2028 × \u200d \\n #\n'
    assert formatted(text) == text


# ---- long lines ------------------------------------------------------------------------------

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


# ---- random ones -----------------------------------------------------------------------------


@given(texts())
def test_random_texts(drawn: Text) -> None:
    spec = parse(drawn.text)
    assert spec.statements == drawn.statements
    assert tuple(comment.text for comment in spec.comments) == drawn.comments
    result = formatted(drawn.text) if drawn.text.strip(" \t\r\n,") else print_spec(spec)
    for line in result.split("\n"):
        assert len(without_comment(line)) <= WIDTH or not BREAKABLE.search(without_comment(line))


# A comma between two things, or brackets that are opened and closed: but the names of a loop stand
# on one line. What is in quotes has been blotted out.
BREAKABLE = re.compile(r"(?<!^),.|[\w\[]\((?!\)).|\[(?!\]).")


def without_comment(line: str) -> str:
    def blot(match: re.Match[str]) -> str:
        return "" if match.group(1) else '"' * len(match.group())

    plain = re.sub(r'"(?:\\.|[^"\\])*"|(#.*)', blot, line).rstrip()
    return re.sub(r"\bfor [\w, ]+ in ", lambda m: ";" * len(m.group()), plain)


@given(networks(), st.randoms(use_true_random=False))
def test_the_network_stays_the_same(text: str, random: Random) -> None:
    """Whatever the layout was."""
    spread = re.sub(r"[,\n]", lambda m: random.choice(["\n", "\n\n  ", ", # c\n", "\n"]), text)
    messy = text if "(" in text or "[" in text else spread
    try:
        before = network(messy)
    except SpecError:
        reject()
    assert described(network(print_spec(parse(messy)))) == described(before)


def described(found: Network) -> list[tuple[object, ...]]:
    return [(n.name, n.op, n.shape, [i.index for i in n.inputs]) for n in found.nodes]
