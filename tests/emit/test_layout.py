"""Long lines are wrapped as the formatter wraps them: it leaves what is written here unchanged."""

import subprocess
import sys

import pytest

from dotcnn.compiler.emit.layout import Group, statement

A, B, C = (f"channels_of_the_{name}_neighbour" for name in ("first", "second", "third"))
WRAPPED = {
    "sum_alone": Group("nn.BatchNorm2d(", (f"{A} + {B} + 2 * {C}",), ")"),
    "sum_among_arguments": Group("nn.Conv2d(", (f"{A} + {B} - {C}", "width", "3"), ")"),
    "keyword": Group("nn.Linear(", ("features", f"out_features={A} + {B} + {C}"), ")"),
    "product": Group("nn.Linear(", (f"({A} + 1) * ({B} + 1) * {C}[0]", "1000"), ")"),
    "list": Group("[", (f"{A} + {B} + {C}",), "]"),
    "call_in_a_call": Group("f(", (Group("nn.Conv2d(", (f"{A} + {B} + {C}", "1"), ")"),), ")"),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_sums_are_wrapped(name: str) -> None:
    text = "\n".join(statement(WRAPPED[name], 0, before="x = ")) + "\n"
    formatter = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "88", "-"]
    done = subprocess.run(formatter, input=text, capture_output=True, text=True, check=True)
    assert text == done.stdout
    assert max(map(len, text.splitlines())) <= 88
