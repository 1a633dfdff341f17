"""`log`: several tools, on one line or on several, with the arguments of each."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.dsl.source import Source
from dotcnn.training.request import overrides_of, request

NETWORK = "network Small {\n  input 1x8x8\n  flatten\n  fc 10\n}\n"


def planned(*lines: str, **changes: object) -> TrainPlan:
    text = NETWORK + "train {\n  data digits\n" + "".join(f"  {line}\n" for line in lines) + "}\n"
    return request(Source("small.cnn", text), set=overrides_of(changes)).plan


def tools(plan: TrainPlan) -> list[str]:
    return [tool for log in plan.train.logs for tool in log.to]


def test_several_lines_and_one_line() -> None:
    assert tools(planned()) == []
    plan = planned("log csv tensorboard", 'log mlflow uri="sqlite:///a.db" experiment="x"')
    assert tools(plan) == ["csv", "tensorboard", "mlflow"]
    assert plan.train.logs[1].uri == "sqlite:///a.db"
    assert TrainPlan.from_json(plan.to_json()) == plan


def test_plans_of_older_versions_are_read() -> None:
    plan = planned("log csv")
    text = plan.to_json()
    start = text.index('"log": [')
    end = text.index("]", text.index("]", start) + 1) + 1
    assert TrainPlan.from_json(text[:start] + '"log": null' + text[end:]).train.logs == ()
    one = '"log": {"is": "log", "to": ["csv"]}'
    assert tools(TrainPlan.from_json(text[:start] + one + text[end:])) == ["csv"]


@pytest.mark.parametrize(("value", "left"), [("off", []), ("wandb", ["wandb"])])
def test_set_replaces_all(value: str, left: list[str]) -> None:
    assert tools(planned("log csv", "log mlflow", **{"train.log": value})) == left
    assert tools(planned("log csv", **{"train.log": value})) == left


@pytest.mark.parametrize(
    ("line", "message", "marked"),
    [
        ("log csv csv", "`csv` is given twice", "log csv csv"),
        ("log tensorboard csv", "`log csv` is given twice", "tensorboard csv"),
        ('log tensorboard project="x"', "argument of `log wandb`", 'log tensorboard project="x"'),
        ("log wandb project=x", "text between", "project=x"),
        ("log wandb mode=auto", "auto is not one of them", "mode=auto"),
        ("log", "needs", "log"),
    ],
)
def test_mistakes(line: str, message: str, marked: str) -> None:
    with pytest.raises(dotcnn.SpecError) as raised:
        planned("log csv" if line.startswith("log t") else "epochs 1", line)
    found = raised.value.diagnostics[0]
    assert message in found.message
    assert found.span is not None
    assert found.span.text == marked
