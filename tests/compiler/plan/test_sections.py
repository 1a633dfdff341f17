"""Sections to plans: everything that can be written, and everything that cannot."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, assume, given, settings

from dotcnn.compiler.diagnose import trial
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.language.foreign import folded
from dotcnn.compiler.plan import TrainPlan, describe, plan
from dotcnn.compiler.plan.describe import describe_sweep
from dotcnn.compiler.plan.directive import REGISTRY, Directive
from dotcnn.compiler.plan.foreign_directives import heads
from dotcnn.compiler.plan.make import sweep_plan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError, has_errors
from dotcnn.dsl.program import load_program
from dotcnn.dsl.render import render_text
from dotcnn.dsl.source import Source
from networks import network as elaborated
from plan_sections import ENDS, GOOD, MASKS, SEVERAL, good_sections, network, network_for, specs

ALL = [(section, word) for section, kinds in REGISTRY.items() for word in kinds]
STATEMENTS = [
    (section, line) for section, kinds in GOOD.items() for lines in kinds.values() for line in lines
]


def diagnose(text: str) -> list[Diagnostic]:
    try:
        return check(load_program(Source("net.cnn", text)))
    except SpecError as error:
        return list(error.diagnostics)


def errors(text: str) -> list[Diagnostic]:
    return [d for d in diagnose(text) if d.severity == "error"]


def spec(section: str, line: str) -> str:
    """One statement, with what it cannot do without."""
    more = {
        "transfer": 'from "a"\n',
        "augment": "",
        "sweep": "train.optimizer.lr log 1e-4..1\n",
    }.get(section, "")
    if section == "transfer":
        word = line.split()[0]
        more = "" if word == "from" else more
        more += "freeze all\n" if word in ("unfreeze", "cache") else ""
    end = (
        ENDS[2].replace("7", "10") if line.startswith(SEVERAL) else ENDS[0].replace("10", "classes")
    )
    end = ENDS[3] if line.startswith(MASKS) else end
    return f"{network_for(line, end)}\n{section} {{\n{more}{line}\n}}\n"


# ---- every directive -------------------------------------------------------------------------


def test_every_directive_has_statements_that_are_well() -> None:
    assert {s: set(kinds) for s, kinds in GOOD.items()} == {s: set(k) for s, k in REGISTRY.items()}


@pytest.mark.parametrize(("section", "line"), STATEMENTS)
def test_it_is_accepted(section: str, line: str) -> None:
    assert errors(spec(section, line)) == []


@pytest.mark.parametrize(("section", "line"), STATEMENTS)
def test_what_it_says_can_be_read_again(section: str, line: str) -> None:
    """The text of a directive, every argument written out, is that directive again."""
    if section == "sweep":  # belongs to no plan of a single run
        lines = describe_sweep(sweep_plan(elaborated(spec(section, line))))
        text = f"{network_for(line, ENDS[0])}\n" + "\n".join(lines)
        without = [each.partition("#")[0] for each in lines]
        again = describe_sweep(sweep_plan(elaborated(text)))
        assert [each.partition("#")[0] for each in again] == without
        return
    made = plan(elaborated(spec(section, line)), needs_data=False)
    net = network_for(line, ENDS[3] if line.startswith(MASKS) else ENDS[0])
    again = plan(elaborated(net + "\n".join(describe(made, section))), needs_data=False)
    in_section = [one for one in made.directives() if one.section == section]
    assert in_section == [one for one in again.directives() if one.section == section]


@pytest.mark.parametrize(("section", "line"), STATEMENTS)
def test_a_saved_plan_can_be_read(section: str, line: str) -> None:
    """Whatever a spec can say: a run whose `plan.json` cannot be read cannot be resumed."""
    text = spec(section, line)
    if line.startswith("tiles"):  # trained on crops of files
        text += 'augment { crop }\ntrain { data folder "streets" }\n'
    elif section != "train":
        text += "train { data digits }\n"
    elif not line.startswith("data"):
        text = text.replace("train {\n", "train {\ndata digits\n")
    saved = plan(elaborated(text), needs_data=False).to_json()
    assert TrainPlan.from_json(saved).to_json() == saved


@pytest.mark.parametrize(("section", "word"), ALL)
def test_it_is_documented(section: str, word: str) -> None:
    kind = REGISTRY[section][word]
    assert kind.doc()
    assert all(field.doc or not field.name for field in kind.fields.values())
    assert kind.section == section


@pytest.mark.parametrize(("section", "word"), ALL)
def test_no_argument_hides_what_a_directive_knows_of_itself(section: str, word: str) -> None:
    """`span`, `place`, `read` and the like are not free for arguments."""
    assert set(REGISTRY[section][word].fields) & set(dir(Directive)) == set()


@pytest.mark.parametrize(("section", "word"), ALL)
def test_its_signature_is_shown_with_a_wrong_argument(section: str, word: str) -> None:
    found = errors(spec(section, f"{word} nonsense=1"))
    kind = REGISTRY[section][word]
    if "factors" in kind.fields:  # names of layers
        assert found[0].code == "unknown-part"
        return
    codes = {d.code for d in found}
    assert codes & {"unknown-argument", "unknown-kind"}
    wrong = next(d for d in found if d.code in ("unknown-argument", "unknown-kind"))
    assert f"`{kind.signature()}`" in " ".join(wrong.notes)


# ---- what other tools call it ----------------------------------------------------------------

ELSEWHERE = [
    (section, name, instead)
    for section, kinds in REGISTRY.items()
    for kind in dict.fromkeys(kinds.values())
    for instead, names in kind.elsewhere.items()
    for name in names.split()
]


def test_names_from_elsewhere_are_many() -> None:
    assert len({name for _, name, _ in ELSEWHERE}) > 200


def test_each_means_one_thing() -> None:
    for section, kinds in REGISTRY.items():
        found: dict[str, str] = {}
        for kind in dict.fromkeys(kinds.values()):
            for instead, names in kind.elsewhere.items():
                for name in names.split():
                    assert found.setdefault(folded(name), instead) == instead, (section, name)


@pytest.mark.parametrize(("section", "name", "instead"), ELSEWHERE)
def test_what_to_write_for_it_is_a_word_of_the_section(
    section: str, name: str, instead: str
) -> None:
    words = instead.split()
    kinds = REGISTRY[section]
    assert words[0] in heads(section)
    known = [word for word in kinds if word.split()[0] == words[0]]
    second = [word.split()[1] for word in known if " " in word]
    assert not second or len(words) == 1 or words[1] in second


@pytest.mark.parametrize(("section", "name", "instead"), ELSEWHERE)
def test_who_writes_it_is_told(section: str, name: str, instead: str) -> None:
    """Where it is no word of ours in itself, as `Resize` is not."""
    if name in heads(section) or not re.fullmatch(r"[A-Za-z_]\w*", name):
        return
    found = [d for d in errors(spec(section, f"{name} 1")) if d.code == "unknown-directive"]
    assert f"`{instead.split()[0]}" in found[0].help
    if found[0].edits:  # then what is written is well
        left = errors(trial.apply(spec(section, f"{name} 1"), found[0].edits))
        assert [d for d in left if d.code.startswith("unknown")] == []


# ---- whatever is written ---------------------------------------------------------------------


@given(specs())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_anything_odd_makes_diagnostics_and_nothing_else(text: str) -> None:
    """With a place inside the text, and what `plan` refuses `check` has found."""
    found = diagnose(text)
    render_text(found)
    for diagnostic in found:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        for edit in diagnostic.edits:
            assert 0 <= edit.span.start <= edit.span.end <= len(text)
    try:
        plan(elaborated(text), needs_data=False)
    except SpecError:
        assert has_errors(found) or "train" not in text


@given(good_sections())
def test_a_plan_is_what_its_text_and_its_json_say(text: str) -> None:
    made = planned(text)
    assert plan(elaborated(network() + "\n".join(describe(made))), needs_data=False) == made
    if made.train.data.word:
        json = made.to_json()
        assert TrainPlan.from_json(json) == made
        assert TrainPlan.from_json(json).to_json() == json


@given(good_sections())
def test_augmentations_keep_their_order(text: str) -> None:
    made = planned(text)
    section = re.search(r"^augment \{\n(.*?)\n\}", text, re.MULTILINE | re.DOTALL)
    lines = re.split(r"[\n,] *", section[1].strip()) if section else []
    synonyms = {"zoom": "scale", "colour": "color", "greyscale": "grayscale"}
    written = [line.split()[0] for line in lines if line]
    assert [one.word for one in made.augment] == [synonyms.get(w, w) for w in written if w[0] > "9"]


def planned(text: str) -> TrainPlan:
    try:
        return plan(elaborated(f"{network()}\n{text}\n"), needs_data=False)
    except SpecError:  # two that contradict each other
        assume(False)
        raise
