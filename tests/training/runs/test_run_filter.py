"""`--where`: a condition on runs in the language of specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.runs.find_runs import find_runs
from dotcnn.training.runs.run_filter import MAX_CHARACTERS, Condition
from dotcnn.training.runs.tags_and_note import TagsAndNote, write_notes

from .conftest import Made, with_rate


@pytest.fixture
def runs(made: Made) -> None:
    made("good", top1=0.95, plan=with_rate(0.01), parameters=250_000)
    made("poor", top1=0.5, parameters=2_000_000, state="early stop")
    made("new", state="interrupted", result=None)
    (Path("runs") / "new" / "metrics.jsonl").unlink()
    write_notes(Path("runs", "good"), TagsAndNote(("best", "paper")))


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("top1 > 0.9", "good"),
        ("top1 > 90%", "good"),
        ("top1 > 0.9 and params < 300k", "good"),
        ("params >= 2M", "poor"),
        ("state == done", "good"),
        ("state == early_stop", "poor"),
        ('state == "early stop"', "poor"),
        ("not state == done", "new poor"),
        ("tag == paper", "good"),
        ("tag != paper", "new poor"),
        ("train.optimizer.lr < 0.008", "new poor"),
        ("train.optimizer == adamw", "good new poor"),
        ("train.ema == on", ""),
        ("width == 4 and seconds < 10min", "good poor"),
        ("top1 < 10% or state == interrupted", "new"),
        ("2*top1 > 1.5", "good"),
        ('name == "poor"', "poor"),
        ("seed == 0 and epochs == 2", "good poor"),
        ("age > 1e6", ""),
        ('version != "0"', "good new poor"),
        ("name == net-4", ""),
        ("name != net-4 and tag == paper", "good"),
        ("tag == größe", ""),
        ("age > 1000000d", ""),
    ],
)
def test_conditions(condition: str, names: str) -> None:
    matching = Condition(condition).matching(find_runs(Path("runs")))
    assert sorted(run.name for run in matching) == names.split()


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("condition", "message", "help"),
    [
        (
            "top1 => 0.9",
            "`top1 => 0.9` is not a condition: `=>` is not part of the language",
            "write `>=`",
        ),
        (
            "top1 > 0.9 && seed == 0",
            "`top1 > 0.9 && seed == 0` is not a condition: `&&` is not part of the language",
            "write `and`",
        ),
        (
            "started > 3",
            "`started` is text, which is not less or more than anything",
            "write `age < 24h`",
        ),
        ("name", "`name` is text, neither true nor false", "compare it: `name == …`"),
        ("tpo1 > 0.9", "no run has a value named `tpo1`", "did you mean `top1`?"),
        ("lr < 0.1", "no run has a value named `lr`", "did you mean `train.optimizer.lr`?"),
        ("state == doen", "`doen` is not a state of a run", "did you mean `done`?"),
        ("top1 > 90", "`top1` is between 0 and 1, never 90", "write `90%`, or 0.9"),
        ("top1", "neither true nor false", "compare it"),
        ("state > 3", "is text, which is not less or more", "write `state == …`"),
        ("params < 300 k", "`params < 300 k` is not a condition", "write one like"),
        ("top1 > 0.9, loss < 1", "is not a condition", "write one like"),
        ("", "the condition is empty", ""),
        ("1/0 > top1", "division by zero", ""),
        ("1 > 0 and " * MAX_CHARACTERS, "more than 2,000 characters", ""),
        ("9**9**9 > top1", "too large", ""),
    ],
)
def test_mistakes(condition: str, message: str, help: str) -> None:
    with pytest.raises(SpecError) as raised:
        Condition(condition).matching(find_runs(Path("runs")))
    (found,) = raised.value.diagnostics
    assert message in found.message
    assert help in found.help
    assert found.span is None or found.span.source.text == condition
