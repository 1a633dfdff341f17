"""What labels name, what may refer to them, and what nothing reads."""

from __future__ import annotations

import pytest

from dotcnn.compiler.build.elaborate import examine
from networks import codes, diagnose, layers, program


def errors(body: str) -> list[str]:
    return [found.code for found in diagnose(body) if found.severity == "error"]


def test_a_label_on_a_line_of_several_statements_may_name_weights() -> None:
    """Nothing refers to it, so it is the first statement alone, as names of weights need."""
    found = layers("stem: conv 8 3x3 same, bn, relu")
    assert "stem" in found.by_name


@pytest.mark.parametrize(
    "body",
    [
        "a: conv 8 3x3 same, conv 8 1x1, add a",
        "a: conv 8 1x1, b: conv 8 3x3 same, concat a b",
        "a: conv 8 1x1, b: conv 8 1x1\nadd a b",
        "a: conv 8 1x1, residual { conv 8 3x3 same, add a }",
        "conv 8 1x1, bn, a: relu\nconv 8 1x1\nadd a",
        "a: conv 8 1x1, let width = 3, aux { pool avg global, flatten, fc 2 }\nbn\nadd a",
        "a: conv 8 1x1, bn\nb: relu\nconv 8 1x1, add b",
        "a: conv 8 1x1\nbn, relu\nadd a",
        "a: residual {\n conv 3 1x1\n}\nbn\nadd a",
        "b: conv 8 1x1\nc: conv 8 1x1, from b\nadd c",
    ],
)
def test_labels_with_one_reading(body: str) -> None:
    assert errors(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "a: conv 8 1x1, bn\nconv 8 1x1\nadd a",
        "a: conv 8 1x1, bn, b: relu\nconv 8 1x1\nadd a b",
        "a: residual {\n conv 3 1x1\n}, bn\nconv 3 1x1\nadd a",
        "a: if on { conv 8 }, bn\nconv 8 1x1\nadd a",
        "concat { | a: conv 8, bn | from a, relu }",
        "a: conv 8 1x1, let width = 3, bn\nfrom a",
    ],
)
def test_labels_with_two_readings(body: str) -> None:
    assert errors(body) == ["ambiguous-label"]


def test_both_readings_are_shown() -> None:
    (found,) = diagnose("a: conv 8 1x1, bn, relu\nconv 8 1x1\nadd a")
    assert "`conv 8 1x1`" in found.message
    assert "`relu`" in found.message
    assert "directly before it" in found.help
    assert "before the `bn`" in found.help


@pytest.mark.parametrize(
    "body",
    [
        "a: conv 8 1x1\nrepeat 2 {\n bn\n a: relu\n}",
        "a: conv 8 1x1\nadd { | | conv 8 1x1 }\nrepeat 2 {\n a: conv 8 1x1\n bn\n add a\n}",
        "a: conv 8 1x1\nbn\nadd a\nrepeat 2 {\n a: conv 8 1x1\n bn\n add a\n}",
        "repeat 2 {\n a: conv 8 1x1\n bn\n add a\n}\na: bn\nrelu\nadd a",
    ],
)
def test_a_label_inside_a_loop_that_is_clearly_its_own(body: str) -> None:
    """These would mean the same if labels were carried from one round to the next."""
    assert errors(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "a: conv 8 1x1\nrepeat 2 {\n conv 8 1x1\n a: add a\n}",
        "a: conv 8 1x1\nrepeat 2 {\n repeat 2 {\n bn\n add a\n a: relu\n}\n}",
        "a: conv 8 1x1\nfor n in [8, 8] {\n bn\n a: conv n 1x1\n}\nadd a",
        "a: conv 8 1x1\nrepeat 3 as i {\n bn\n if i > 0 { add a }\n a: relu\n}",
    ],
)
def test_a_label_is_not_bound_again_inside_a_loop(body: str) -> None:
    assert errors(body) == ["rebound-label"]


def test_what_nothing_reads_is_an_error_however_it_came_about() -> None:
    heads = "a: relu\nside: conv 8 1x1\nfrom a\nbn"
    assert errors(heads) == ["dead-layer"]
    many = "a: relu\nrepeat 200 {\n conv 3 1x1\n from a\n}\nbn"
    assert errors(many) == ["dead-layer"]
    paths = "a: relu\nconv 4 1x1\nconcat { | from a | from a }"
    assert errors(paths) == ["dead-layer"]
    inside = "a: relu\naux { pool avg global\n b: flatten\n fc 2\n from b\n fc 3 }\nbn"
    assert errors(inside) == ["dead-layer"]


def test_the_end_of_a_dead_chain_is_named() -> None:
    body = "a: relu\nconv 8 1x1\nbn\nlast: conv 4 1x1\nfrom a\nbn"
    (found,) = diagnose(body)
    assert "`last`" in found.message
    assert found.span is not None
    assert found.span.text.startswith("last:")
    assert [label.span.text for label in found.labels] == ["a: relu", "from a"]
    assert any("3 layers" in note for note in found.notes)


def test_a_head_of_training_keeps_what_it_reads() -> None:
    body = "a: relu\nconv 8 1x1\naux { pool avg global, flatten, fc 2 }\nfrom a\nbn"
    assert errors(body) == []


def unused(text: str) -> list[str]:
    found = examine(program(text)).diagnostics
    return [d.span.text for d in found if d.code == "unused-label" and d.span is not None]


def test_a_label_that_another_setting_reads_is_not_called_unused() -> None:
    text = """
      network N(wide=off, times=0) {
        input 3x32x32
        a: relu
        b: sigmoid
        conv 3 3x3 same
        if wide { add a }
        repeat times { add b }
      }"""
    assert unused(text) == []
    assert unused(text.replace("add b", "bn")) == ["b"]


def test_a_label_that_names_a_layer_for_readers_is_not_called_unused() -> None:
    lenet = """
      network LeNet {
        input 1x32x32
        c1: conv 6 5x5, tanh
        s2: pool avg 2x2
        both: concat { | relu | sigmoid }
        relu3_1: relu
        act3: tanh
        drop4: dropout 0.5
        flat: flatten
        fc 10
      }"""
    assert unused(lenet) == []
    assert unused(lenet.replace("relu3_1", "skip")) == ["skip"]


def test_what_is_shared_in_a_loop_repeats_its_label() -> None:
    """That is no second label of the same name; the block gets the same map in every round."""
    stepper = "block stepper(d) { residual { concat d, conv 4 3x3 same } }"
    body = "d: conv 8\nconv 4\nstep: stepper d\nrepeat 2 { share step }"
    assert codes(body, blocks=stepper) == []
