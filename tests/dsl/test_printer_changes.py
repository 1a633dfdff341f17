"""Texts before and after formatting: statements, whole files, comments."""

from __future__ import annotations

from textwrap import dedent

import pytest

from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import print_spec

from .printing import formatted, in_network

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


def test_anything_in_a_comment_stays() -> None:
    text = '#\tno blank, "quotes", { ( [ | \x0c é \u2028 × \u200d \\n #\n'
    assert formatted(text) == text
