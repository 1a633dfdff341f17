"""Specs that ask for more work than anybody wants are refused soon, at the statement that asks."""

from __future__ import annotations

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.dsl.diagnostics import Diagnostic
from networks import diagnose, layers, network, program

DOUBLING = (
    "\n".join(f"block b{i} {{ b{i + 1}, b{i + 1} }}" for i in range(40)) + "\nblock b40 { relu }"
)
DOUBLING_BY_ARGUMENT = (
    "\n".join(f"block b{i}(n) {{ repeat n {{ b{i + 1} n }} }}" for i in range(40))
    + "\nblock b40(n) { relu }"
)


def limited(body: str, blocks: str = "") -> Diagnostic:
    text = f"{blocks}\nnetwork Net {{\ninput 3x32x32\n{body}\n}}"
    (found,) = check(program(text), max_layers=5_000)
    return found


TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"


def nested(head: str, depth: int, inside: str) -> str:
    return f"{head} {{ " * depth + inside + " }" * depth


def doubled(value: str, depth: int, names: str = "a") -> str:
    """`let a1 = (a0, a0)` and so on: each name stands for twice as many elements."""
    open_, close = value[0], value[-1]
    lines = [f"let {names}0 = {value}"]
    lines += [f"let {names}{i + 1} = {open_}{names}{i}, {names}{i}{close}" for i in range(depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("body", "blocks", "place"),
    [
        ("repeat 1000000000 { conv 3 }", "", "1000000000"),
        (f"repeat 1{'0' * 70} {{ }}", "", f"1{'0' * 70}"),
        ("repeat 1000 { repeat 1000 { conv 3 } }", "", "1000"),
        ("repeat 1000 as i { repeat i { conv 3 } }", "", "1000"),
        ("repeat 100000 { repeat 100000 { } }\nrelu", "", "100000"),
        ("repeat 100000 { repeat 100000 { let x = 3 } }\nrelu", "", "100000"),
        (nested(f"for a in {TEN}", 8, ""), "", TEN),
        ("repeat 4999 { let a = 1 }\n" * 8, "", "repeat 4999 { let a = 1 }"),
        (nested("repeat 300", 3, "if off { relu, relu, conv 3 }"), "", "300"),
        ("b0", DOUBLING, "b"),
        ("b0", DOUBLING.replace("relu", ""), "b"),
        ("b0 2", DOUBLING_BY_ARGUMENT, ""),
        ("relu", doubled("[1, 2]", 40), "[a14, a14]"),
        ("relu", doubled("(1, 2)", 40), "(a14, a14)"),
        (
            "relu",
            "\n".join(["let a0 = [1]", *(f"let a{n + 1} = [a{n}]" for n in range(50))]),
            "[a15]",
        ),
        (
            f"{doubled('[1, 2]', 13)}\n{doubled('[1, 2]', 13, 'b')}\n"
            "repeat 40000 { if a13 == b13 { relu } else { relu } }",
            "",
            "40000",
        ),
        (f"repeat 40000 {{ let a = max({'1, ' * 1000}1) }}", "", "40000"),
    ],
)
def test_refused(body: str, blocks: str, place: str) -> None:
    found = limited(body, blocks)
    assert found.code == "limit"
    assert found.span is not None
    assert found.span.text.startswith(place)


def test_a_list_doubled_again_and_again_is_not_written_out() -> None:
    found = diagnose(f"{doubled('(1, 2)', 10)}\nrepeat 4000 {{ conv a10 3 }}")
    assert found[0].code == "argument"
    assert len(found[0].message) < 600


def test_mistakes_in_a_loop_are_told_without_the_limit() -> None:
    found = diagnose("repeat 40000 { conv 3 foo, conv 3 bar }")
    assert [diagnostic.code for diagnostic in found] == ["unknown-flag", "unknown-flag"]


def test_as_many_layers_as_are_allowed() -> None:
    """The fuel for all that leads to layers is enough for them."""
    body = "repeat 1666 as i { if i >= 0 { conv channels + 0*i 3x3 same }, residual { conv 3 } }"
    found = network(f"network Net {{ input 3x8x8\n{body} }}", max_layers=5_000)
    assert len(found.nodes) == 4_999


def test_loops_over_what_arrives_are_counted_as_they_go() -> None:
    body = "repeat height { repeat height { repeat height { repeat height { relu } } } }"
    (found,) = diagnose(body)
    assert found.code == "limit"


def test_integers_are_exact_at_any_magnitude() -> None:
    found = layers("conv 1152921504606846976 3x3 same")
    (weight, _) = found.nodes[1].weights
    assert weight.shape[0] == 2**60
    assert found.nodes[1].op.macs(found.output.shape, (3, 32, 32)) == 2**60 * 27 * 32 * 32


@pytest.mark.parametrize(
    "blocks",
    ["block b { b }", "block b { c }\nblock c { if height > 3 { b } }"],
)
def test_recursion_is_refused_with_its_chain(blocks: str) -> None:
    found: Diagnostic = diagnose("b", blocks=blocks)[0]
    assert found.code == "recursion"
    assert " -> " in found.notes[0]


def test_nesting_has_a_limit() -> None:
    (found,) = diagnose("residual { " * 70 + "relu" + " }" * 70)
    assert found.code == "limit"
