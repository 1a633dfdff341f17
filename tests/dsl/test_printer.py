"""The canonical layout of random texts: it says the same, and a network stays the same.

Texts that stay, texts that change and long lines are in the files beside this one.
"""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import WIDTH, print_spec
from networks import network
from random_networks import specs as networks

from .printing import formatted
from .strategies import Text, texts


@pytest.mark.slow
@given(texts())
def test_random_texts(drawn: Text) -> None:
    spec = parse(drawn.text)
    assert spec.statements == drawn.statements
    assert tuple(comment.text for comment in spec.comments) == drawn.comments
    result = formatted(drawn.text) if drawn.text.strip(" \t\r\n,") else print_spec(spec)
    for line in result.split("\n"):
        assert len(without_comment(line)) <= WIDTH or not BREAKABLE.search(without_comment(line))


# A comma between two things, or brackets that are opened and closed: but the names of a loop stand
# on one line. What is in quotes has been blotted out.
BREAKABLE = re.compile(r"(?<!^),.|[\w\[]\((?!\)).|\[(?!\]).")


def without_comment(line: str) -> str:
    def blot(match: re.Match[str]) -> str:
        return "" if match.group(1) else '"' * len(match.group())

    plain = re.sub(r'"(?:\\.|[^"\\])*"|(#.*)', blot, line).rstrip()
    return re.sub(r"\bfor [\w, ]+ in ", lambda m: ";" * len(m.group()), plain)


@given(networks(), st.randoms(use_true_random=False))
def test_the_network_stays_the_same(text: str, random: Random) -> None:
    """Whatever the layout was."""
    spread = re.sub(r"[,\n]", lambda m: random.choice(["\n", "\n\n  ", ", # c\n", "\n"]), text)
    messy = text if "(" in text or "[" in text else spread
    try:
        before = network(messy)
    except SpecError:
        reject()
    assert described(network(print_spec(parse(messy)))) == described(before)


def described(found: Network) -> list[tuple[object, ...]]:
    return [(n.name, n.op, n.shape, [i.index for i in n.inputs]) for n in found.nodes]
