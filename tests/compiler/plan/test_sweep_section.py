"""The section `sweep`: what is searched, what its lines mean, and that no text breaks it."""

from __future__ import annotations

import random

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.plan.make import plan, sweep_plan
from dotcnn.compiler.plan.search_space import Search, combination, combinations, overrides
from dotcnn.compiler.plan.sweep_plan import SweepPlan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from networks import network as elaborated

NETWORK = """\
network Small(width=16, drop=0.1, wide=off, act="relu") {
  input 1x8x8
  conv width 3x3 same, relu, dropout drop
  pool avg global, flatten
  fc 10
}

train { data digits, epochs 5, optimizer sgd lr=0.1 }
augment { rotate 10 fill=reflect }
"""


def spec(*lines: str) -> str:
    return NETWORK + "sweep {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def swept(*lines: str) -> SweepPlan:
    return sweep_plan(elaborated(spec(*lines)))


def search(line: str) -> Search:
    (one,) = swept(line).searches
    return one._replace(span=None)


def errors(*lines: str) -> list[Diagnostic]:
    try:
        found = check(load_program(Source("net.cnn", spec(*lines))))
    except SpecError as error:
        found = list(error.diagnostics)
    return [each for each in found if each.severity == "error"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("width 8..64", Search("width", "width", 8, 64, whole=True)),
        ("width 8..64 step=8", Search("width", "width", 8, 64, step=8, whole=True)),
        ("drop 0..0.5", Search("drop", "drop", 0, 0.5)),
        ("drop 0..1", Search("drop", "drop", 0, 1)),  # its default is a fraction
        ("drop 0..0.5 step=0.1", Search("drop", "drop", 0, 0.5, step=0.1)),
        ("lr log 1e-4..1", Search("lr", "train.optimizer.lr", 1e-4, 1, log=True)),
        ("train.optimizer.lr log 1e-4..1",
         Search("train.optimizer.lr", "train.optimizer.lr", 1e-4, 1, log=True)),
        ("optimizer.lr log 1e-4..1",
         Search("optimizer.lr", "train.optimizer.lr", 1e-4, 1, log=True)),
        ("batch in [16, 32]", Search("batch", "train.batch.size", choices=("16", "32"))),
        ("epochs 5..20", Search("epochs", "train.epochs.count", 5, 20, whole=True)),
        ("augment.rotate 0..30",
         Search("augment.rotate", "augment.rotate.degrees", 0, 30, whole=True)),
        ("width in [16, 24]", Search("width", "width", choices=("16", "24"))),
        ("wide in [on, off]", Search("wide", "wide", choices=("on", "off"))),
        ('act in ["relu", "gelu"]', Search("act", "act", choices=('"relu"', '"gelu"'))),
        ('train.optimizer in ["sgd lr=0.1", adam]',
         Search("train.optimizer", "train.optimizer", choices=("sgd lr=0.1", "adam"))),
        ("augment.mixup 0.1..1", Search("augment.mixup", "augment.mixup.alpha", 0.1, 1)),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, expected: Search) -> None:
    assert search(line) == expected
    assert errors(line) == []


def test_a_line_can_be_written_again() -> None:
    for line in ("width 8..64 step=8", "lr log 0.0001..1", "width in [16, 24]"):
        assert str(search(line)) == line


def test_a_name_of_two_places_is_asked_for() -> None:
    (error,) = errors("seed 0..10")
    assert error.code == "ambiguous-name"
    assert "train.seed" in error.help


def test_values_become_overrides_whole_directives_first() -> None:
    searches = swept("lr log 1e-4..1", "train.optimizer in [sgd, adam]", "drop 0..0.5").searches
    values = {"lr": 0.01, "train.optimizer": "adam", "drop": 0.0}
    assert overrides(searches, values) == [
        "train.optimizer=adam",
        "train.optimizer.lr=0.01",
        "drop=0.0",
    ]


def test_all_combinations_are_counted() -> None:
    searches = swept("width in [8, 16, 24]", "drop 0..0.5 step=0.25").searches
    assert combinations(searches) == 9
    every = [combination(searches, number) for number in range(9)]
    assert every[0] == {"width": "8", "drop": 0.0}
    assert every[-1] == {"width": "24", "drop": 0.5}
    assert len({str(one) for one in every}) == 9
    assert combinations(swept("drop 0..0.5").searches) is None


def test_what_a_search_holds() -> None:
    drop = search("drop 0..0.5 step=0.1")
    assert drop.holds(0.3)
    assert not drop.holds(0.35)
    assert not drop.holds("0.3")
    assert search("width 8..64").holds(8)
    assert not search("width 8..64").holds(8.5)
    assert not search("width in [16, 24]").holds(16)


def test_limits_are_numbers_with_suffixes() -> None:
    limit = swept("width 8..64", "limit params < 300k, macs <= 1.5M", "limit memory < 8GiB").limit
    assert limit is not None
    assert limit.arguments == {"params": 300_000, "macs": 1_500_000, "memory": 8 * 2**30}


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["width 64..8"], "argument", "from low to high"),
        (["width 8..8"], "argument", "one value"),
        (["lr log 0..1"], "argument", "above 0"),
        (["lr log (-1..1)"], "argument", "above 0"),
        (["train.optimizer.momentum 0..1.5"], "argument", "below 1"),
        (["epochs 0..5"], "argument", "above 0"),
        (["augment.rotate in [10, 400]"], "argument", "400"),
        (['train.optimizer in [sgd, adagradd]'], "unknown-kind", "adagradd"),
        (['train.optimizer in ["sgd lr=-1", adam]'], "argument", "lr"),
        (["train.optimizzer.lr 0..1"], "unknown-name", "optimizzer"),
        (["train.optimizer.lrr 0..1"], "unknown-name", "lrr"),
        (["widht in [1, 2]"], "unknown-name", "widht"),
        (["width in [16]"], "argument", "single"),
        (["width in [16, 16]"], "argument", "twice"),
        (["width in 16..24"], "type", "list"),
        (["width in [16, on]"], "type", "on"),
        (["act 0..1"], "type", "not a number"),
        (["drop 0..0.5 step=0"], "argument", "step"),
        (["drop 0..0.5 step=1"], "argument", "step"),
        (["lr log 0.1..1 step=0.1"], "argument", "no steps"),
        (["width 8..64 step=0.5"], "argument", "whole"),
        (["width 8..64 stepp=2"], "argument", "stepp"),
        (["augment.flip 0..1"], "argument", "which argument"),
        (["width 8..64", "width in [1, 2]"], "second-directive", "twice"),
        (["width 8..64", "metric params"], "argument", "cost"),
        (["width 8..64", "metric top1 f1 loss"], "argument", "two"),
        (["width 8..64", "limit params > 300k"], "argument", "limit"),
        (["width 8..64", "limit speed < 3"], "unknown-argument", "speed"),
        (["width 8..64", 'storage "sweep.db"'], "argument", "URL"),
        (["lr log 1e-3..1", "sampler grid"], "argument", "no end"),
        (["trials 40"], "missing-directive", "searched"),
        (["width 8..64", "trials 0"], "argument", "0"),
    ],
)  # fmt: skip
def test_a_mistake_has_a_place_and_a_way_out(lines: list[str], code: str, words: str) -> None:
    found = errors(*lines)
    assert [each.code for each in found] == [code], found
    assert words in found[0].message
    assert found[0].span is not None
    assert found[0].help or found[0].notes


def test_it_is_nothing_to_a_single_run() -> None:
    """A run may have values that the section does not fit, such as those of a trial."""
    broken = elaborated(spec("lr log 0..1", "widht in [1]"))
    assert plan(broken) == plan(elaborated(NETWORK))


def test_a_setting_belongs_in_a_section() -> None:
    for text in ("network N { input 1x8x8\n width in [1, 2]\n conv 3 }", "width in [1]"):
        with pytest.raises(SpecError) as error:
            parse(text)
        assert error.value.diagnostics[0].code == "misplaced-setting"


HEADS = (
    "width drop wide act lr rotate augment.rotate train.optimizer train.optimizer.lr batch epochs"
    " sweep.trials train.foo augment.color.brightness evaluate.crop transfer.lr trials metric limit"
    " prune storage seed sampler crop a.b.c augment.color augment.flip"
).split()
VALUES = (
    '0 1 -1 1e-4 0.5 10% 300k 8GB on off adam "adam lr=0.1" "x" [1,2] (1,2) 3x3 width 1/0 foo [] ""'
    ' "adam lr=" 10x 10min 99999999999999999999'
).split(" ")


def line(draw: random.Random) -> str:
    """A line that may be one of a sweep."""
    head, low, high = draw.choice(HEADS), draw.choice(VALUES), draw.choice(VALUES)
    match draw.randrange(6):
        case 0 | 1:
            step = draw.choice(["", f" step={draw.choice(VALUES)}", " 0..1"])
            return f"{head} {draw.choice(['', 'log '])}{low}..{high}{step}"
        case 2 | 3:
            return f"{head} in [{', '.join(draw.choices(VALUES, k=draw.randrange(4)))}]"
        case 4:
            return f"limit {head} < {low}, {draw.choice(HEADS)} < {high}"
    return f"{head} {low} {high}"


@pytest.mark.parametrize("seed", range(40))
def test_no_section_breaks_it(seed: int) -> None:
    """Whatever is written, there are diagnostics; and what is read is printed and read again."""
    draw = random.Random(seed)
    text = spec(*[line(draw) for _ in range(draw.randrange(1, 6))])
    try:
        program = load_program(Source("net.cnn", text))
    except SpecError:
        return
    check(program)
    printed = print_spec(program.main)
    again = parse(printed)
    assert again.statements == program.main.statements
    assert print_spec(again) == printed
