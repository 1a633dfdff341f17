"""Four times as much of anything takes about four times as long to check.

Copies of a construct, one after the other: each kind once took time that grew with the square. Only
the growth is asserted, so that a slow machine passes and a square does not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from support import grows_linearly

FEW, TIMES = 1_000, 8


def lines(text: str) -> Callable[[int], str]:
    """Copies of a statement, `#` its number."""
    return lambda count: "\n".join(text.replace("#", str(n)) for n in range(count))


def net(body: Callable[[int], str]) -> Callable[[int], str]:
    return lambda count: f"network N {{\ninput 3x8x8\nrelu\n{body(count)}\n}}"


def beside(text: Callable[[int], str]) -> Callable[[int], str]:
    return lambda count: f"{text(count)}\nnetwork N {{\ninput 3x8x8\nrelu\n}}"


SPECS: dict[str, Callable[[int], str]] = {
    "blanks before a comma": net(lambda count: f"conv 3{' ' * 8 * count}, 3"),
    "labels": net(lines("a#: relu")),
    "labels given twice": net(lines("a: relu")),
    "numbers in the place of statements": lines("1 x 1 x 1 x 1"),
    "numbers, and x a name": lambda count: lines("1 x 1 x 1 x 1")(count) + "\nlet x = 3",
    "mistakes inside of arguments": net(lines("conv (1")),
    "if": net(lines("if off { relu }")),
    "if of different blocks": lambda count: (
        lines("block b# { relu }")(count) + "\n" + net(lines("if off { b# }"))(count)
    ),
    "else if": net(lambda count: "if off { relu }" + " else if off { relu }" * count),
    "allow": net(lines('allow "wide-fc"')),
    "allow of what is not known": net(lines('allow "widee-fc#"')),
    "networks": lines("network N# { input 3x8x8, relu }"),
    "blocks": beside(lines("block b# { relu }")),
    "blocks of unknown words": beside(lines("block b# { relux }")),
    "parameters": beside(lines("block b#(a) { relu }")),
    "parameters by name": lambda count: (
        f"block b({', '.join(f'a{n}=1' for n in range(count))}) {{ relu }}\n"
        + net(lambda count: "b " + " ".join(f"a{n}=1" for n in range(count)))(count)
    ),
    "blocks that are called, with labels inside": lambda count: (
        lines("block b# { x#: relu, tanh }")(count) + "\n" + net(lines("b#"))(count)
    ),
    "blocks called with too much": lambda count: (
        lines("block b# { relu }")(count) + "\n" + net(lines("b# 3"))(count)
    ),
    "blocks handed to blocks": lambda count: (
        "block outer(inner) { inner }\n"
        + lines("block b# { relu }")(count)
        + "\n"
        + net(lines("outer b#"))(count)
    ),
    "layers handed to blocks": lambda count: (
        "block outer(act) { act }\n" + net(lines("outer relu"))(count)
    ),
    "blocks in blocks": lambda count: (
        lines("block b# { relu }")(count) + "\n" + net(lines("residual { b#, tanh }"))(count)
    ),
    "dead layers": net(lines("a#: conv 3\nfrom a0")),
    "unknown words": net(lines("foo#")),
    "unknown words at the top": lines("foo#"),
    "let": beside(lines("let a# = 1")),
    "let of what is not known": beside(lines("let a# = b#")),
    "a list": net(lambda count: f"for a in [{'1, ' * count}] {{ relu }}"),
    "paths that do not fit": net(lambda count: f"add {{{lines('| conv 1#')(count)}\n}}"),
    "references": net(lines("a#: relu\nfrom a0")),
    "references to nothing": net(lines("from b#\nrelu")),
    "aux": net(lines("aux { pool avg global, flatten, fc 3 }")),
    "directives": lambda count: net(lines(""))(0) + f"\naugment {{\n{lines('rotate 3')(count)}\n}}",
    "directives that are not known": lambda count: (
        net(lines(""))(0) + f"\ntrain {{\n{lines('foo#')(count)}\n}}"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_time_grows_with_the_length(name: str) -> None:
    texts = {count: SPECS[name](count) for count in (FEW, TIMES * FEW)}

    def checked(count: int) -> None:
        with suppress(SpecError):
            check(load_program(Source("net.cnn", texts[count])))

    assert grows_linearly(checked, FEW, TIMES)
