"""`cnn help WORD`: every word of the language is explained, from what the compiler knows of it."""

from __future__ import annotations

import pytest

import dotcnn
from commands import run
from dotcnn.compiler.language import foreign
from dotcnn.compiler.language.vocabulary import FORMS, SECTIONS, STATEMENTS
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import Directive
from dotcnn.compiler.report.style import PLAIN
from dotcnn.compiler.report.words import Unknown, example_of, explain, overview, words
from dotcnn.dsl.diagnostics import has_errors
from plan_sections import IMAGES

Capture = pytest.CaptureFixture[str]

DECLARED = list({kind: None for section in SECTIONS for kind in DIRECTIVES[section].values()})


@pytest.mark.parametrize("word", words())
def test_every_word_has_a_meaning_and_an_example(word: str) -> None:
    text, remark = explain(word, PLAIN)
    assert remark == ""
    assert word in SECTIONS or "example:\n  " in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert word in overview(PLAIN)


@pytest.mark.parametrize("word", REGISTRY)
def test_layers_have_arithmetic_an_example_and_names_that_are_understood(word: str) -> None:
    kind = REGISTRY[word]
    node = example_of(kind)
    assert kind.__doc__
    assert kind.arithmetic or node.op.explain(node.shape, *node.input_shapes)
    for name in filter(None, vars(kind).get("called", "").split(", ")):
        meaning = foreign.layer(name.split()[1])
        assert meaning is not None, name
        assert meaning.advice or meaning.kind is kind, name


@pytest.mark.parametrize("word", REGISTRY)
def test_arguments_are_explained(word: str) -> None:
    assert all(field.doc for field in REGISTRY[word].fields.values())


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: f"{kind.section} {kind.word}")
def test_examples_of_directives_are_valid(kind: type[Directive]) -> None:
    assert kind.__doc__
    assert all(field.doc for field in kind.fields.values())
    lines = {
        "train": ['data folder "photos"', "optimizer sgd lr=0.1", "epochs 100"],
        "augment": [],
        "evaluate": [],
        "transfer": ['from "weights.safetensors"', "freeze until layer4"],
        "sweep": ["train.optimizer.lr log 1e-4..1"],
    }
    own = [line for line in lines[kind.section] if line.split()[0] != kind.head()]
    if kind.word in ("features", "policy"):
        own = own[:1]
    lines[kind.section] = [*own, kind.shown()]
    masks = getattr(kind, "tasks", ()) == ("segmentation",)
    head = "pool avg global, flatten\nfc: fc classes"
    if masks or kind.word == "tiles":
        head = "fc: conv classes 1x1"
    elif kind.word.startswith(IMAGES):
        head = "fc: conv 3 1x1"
    network = (
        "network Example { input 3x224x224, stem: conv 8 3 same, bn, layer1: conv 8 3 same, relu\n"
        f"layer3: conv 8 3 same, relu, layer4: conv 8 3 same, relu, {head} }}\n"
    )
    if kind.word == "pad":
        network = network.replace("3x224x224", "3x224")
    if kind.word == "tiles":
        lines["augment"] = ["crop"]
        lines["train"] = ['data folder "photos"']
    sections = [f"{name} {{\n" + "\n".join(own) + "\n}" for name, own in lines.items() if own]
    diagnostics = dotcnn.check(network + "\n".join(sections))
    assert not has_errors(diagnostics), [each.message for each in diagnostics]


@pytest.mark.parametrize("word", FORMS)
def test_examples_of_forms_are_valid(word: str) -> None:
    example = FORMS[word].example
    inside = example if word == "input" else f"input 16x32x32\n{example}"
    # A network that names its outputs names all of them.
    last = "output last: conv 8 3x3" if word == "output" else "conv 8 3x3"
    diagnostics = dotcnn.check(f"network Example {{\n{inside}\n{last}\n}}")
    assert not has_errors(diagnostics), [each.message for each in diagnostics]


@pytest.mark.parametrize("word", STATEMENTS)
def test_examples_of_statements_can_be_read(word: str) -> None:
    from dotcnn.dsl.parser import read
    from dotcnn.dsl.source import Source

    assert read(Source("example", STATEMENTS[word].example))[1] == []


def test_words_of_other_tools_are_understood(capfd: Capture) -> None:
    result = run(capfd, "help", "BatchNormalization")
    assert result.out.startswith("bn: a layer\n\n  bn eps=1e-05")
    assert result.err == "`BatchNormalization` is written `bn` in a spec\n"
    result = run(capfd, "help", "RandomCrop")
    assert result.out.startswith("crop: a directive of `augment`")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("convv", "did you mean `conv`?"),
        ("LSTM", "there are no recurrent layers"),
        ("xyzzy", "`cnn help` lists all words"),
    ],
)
def test_unknown_words(word: str, message: str, capfd: Capture) -> None:
    with pytest.raises(Unknown):
        explain(word, PLAIN)
    result = run(capfd, "help", word)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_words_of_two_parts_and_first_parts(capfd: Capture) -> None:
    assert run(capfd, "help", "pool", "max").out.startswith("pool max: a layer")
    assert "optimizer adamw  " in run(capfd, "help", "optimizer").out


def test_a_command_is_explained_too(capfd: Capture) -> None:
    assert run(capfd, "help", "report").out == run(capfd, "report", "--help").out
    assert "`cnn train --help` explains the command" in run(capfd, "help", "train").err


def test_what_an_error_shows_of_a_signature_is_the_same(capfd: Capture) -> None:
    spec = b"network N { input 3x8x8, conv }"
    signature = str(REGISTRY["conv"].signature())
    assert signature in run(capfd, "check", "-", stdin=spec).out
    assert f"\n  {signature}\n" in run(capfd, "help", "conv").out.replace("\n  [", " [")
