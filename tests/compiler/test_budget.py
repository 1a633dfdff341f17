"""Specs that would come to more than anybody wants are refused at once, at the place."""

from __future__ import annotations

import pytest

from dotcnn.dsl.diagnostics import Diagnostic
from networks import diagnose, layers

DOUBLING = (
    "\n".join(f"block b{i} {{ b{i + 1}, b{i + 1} }}" for i in range(40)) + "\nblock b40 { relu }"
)
DOUBLING_BY_ARGUMENT = (
    "\n".join(f"block b{i}(n) {{ repeat n {{ b{i + 1} n }} }}" for i in range(40))
    + "\nblock b40(n) { relu }"
)


@pytest.mark.parametrize(
    ("body", "blocks", "place"),
    [
        ("repeat 1000000000 { conv 3 }", "", "1000000000"),
        ("repeat 1000 { repeat 1000 { conv 3 } }", "", "1000"),
        ("repeat 1000 as i { repeat i { conv 3 } }", "", "1000"),
        ("repeat 100000 { repeat 100000 { } }\nrelu", "", "100000"),
        ("repeat 100000 { repeat 100000 { let x = 3 } }\nrelu", "", "100000"),
        ("b0", DOUBLING, "b22"),
        ("b0 2", DOUBLING_BY_ARGUMENT, "n"),
    ],
)
def test_refused(body: str, blocks: str, place: str) -> None:
    (found,) = diagnose(body, blocks=blocks)
    assert found.code == "limit"
    assert found.span is not None
    assert found.span.text == place


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
