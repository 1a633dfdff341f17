"""Paths and names that people write without quotes, which then read like sums."""

from __future__ import annotations

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source

NET = "network Net {\n input 3x32x32\n flatten\n fc classes\n}\n"


def errors(text: str) -> list[Diagnostic]:
    try:
        found = check(load_program(Source("net.cnn", text)))
    except SpecError as error:
        return list(error.diagnostics)
    return [diagnostic for diagnostic in found if diagnostic.severity == "error"]


@pytest.mark.parametrize(
    ("section", "line", "code", "meant"),
    [
        ("train", "data folder a/b", "quotes", 'data folder "a/b"'),
        ("train", "data folder /a/b-c val=20%", "quotes", 'data folder "/a/b-c" val=20%'),
        ("train", "data folder my-flowers", "quotes", 'data folder "my-flowers"'),
        ("train", "data folder ./flowers", "quotes", 'data folder "./flowers"'),
        ("train", "data folder ../a/b.c, epochs 3", "quotes", 'data folder "../a/b.c", epochs 3'),
        ("train", "data folder ~/flowers", "quotes", 'data folder "~/flowers"'),
        ("train", "data mnist root=sets/mnist", "quotes", 'data mnist root="sets/mnist"'),
        ("train", "data cifar-10", "unknown-kind", "data cifar10"),
        ("train", "data fashion-mnist val=10%", "unknown-kind", "data fashion_mnist val=10%"),
        ("transfer", "from runs/net", "quotes", 'from "runs/net"'),
        ("transfer", "from timm:resnet50.a1_in1k", "quotes", 'from "timm:resnet50.a1_in1k"'),
    ],
)
def test_what_was_meant(section: str, line: str, code: str, meant: str) -> None:
    """Is told, and the change that is offered makes it so."""
    text = f"{NET}{section} {{\n {line}\n}}\n"
    (wrong,) = errors(text)
    assert wrong.code == code
    (edit,) = wrong.edits
    mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert mended == text.replace(line, meant)
    assert errors(mended) == []


@pytest.mark.parametrize(
    "line", ["optimizer sgd lr=rate/2", 'data folder "a" val=share/2', "epochs rounds-1"]
)
def test_sums_stay_sums(line: str) -> None:
    """Where no path can stand, a name that means nothing is one."""
    (wrong,) = errors(f"{NET}train {{\n {line}\n}}\n")
    assert wrong.code == "unknown-name"
