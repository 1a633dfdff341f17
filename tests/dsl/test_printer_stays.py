"""Texts that have the canonical layout stay as they are: files, and statements of a body."""

from __future__ import annotations

from textwrap import dedent

import pytest

from .printing import formatted, in_network

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


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends(line_end: str) -> None:
    text = in_network(CANONICAL_STATEMENTS["comments"] + CANONICAL_STATEMENTS["rows of a table"])
    text += "\n# a\n\n# b\n"
    assert formatted(text.replace("\n", line_end)) == text
