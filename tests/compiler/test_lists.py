"""Lists of maps: what they hold, where they go, and what they cost."""

from __future__ import annotations

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.language.values import Maps
from dotcnn.compiler.network import Network, Node, Scope
from dotcnn.dsl.diagnostics import SpecError
from networks import codes, layers, program

THREE = "sizes: list {\n| conv 2 1x1\n| conv 3 1x1\n| conv 4 1x1\n}\n"


def ends(body: str, blocks: str = "") -> list[int]:
    """The channels of what the last line of a network concatenates."""
    built = layers(f"{THREE}{body}\nconcat\nflatten, fc 3", blocks=blocks)
    last = next(node for node in built.nodes if node.op.word == "flatten").inputs[0]
    return (
        [source.shape[0] for source in last.inputs] if last.op.word == "concat" else [last.shape[0]]
    )


@pytest.mark.parametrize(
    ("body", "channels"),
    [
        ("", [2, 3, 4]),
        ("from sizes", [2, 3, 4]),
        ("from sizes[1..3] + [sizes[0]]", [3, 4, 2]),
        ("from [sizes[-1], sizes[0], sizes[1]]", [4, 2, 3]),
        ("list { | from sizes }", [2, 3, 4]),
        ("list { for map in sizes as i { | from map, conv 10*i + channels 1x1 } }", [2, 13, 24]),
        ("list { for map in sizes { if on { | from map } } }", [2, 3, 4]),
        ("turn sizes", [4, 3, 2]),
        ("turn", [4, 3, 2]),
        ("repeat 3 { turn }", [4, 3, 2]),
        ("for n in [1, 2] { turn }", [2, 3, 4]),
        (
            "other: from sizes\nrepeat 2 { from other, turn, carry other=input }\nfrom sizes",
            [2, 3, 4],
        ),
        ("from sizes if len(sizes) == 3 else sizes[0]", [2, 3, 4]),
        ("let all = sizes + sizes\nfrom all", [2, 3, 4, 2, 3, 4]),
        ("a: turn sizes\nb: turn a\nfrom b[0..2] + [a[0]]", [2, 3, 4]),
    ],
)
def test_what_a_list_holds(body: str, channels: list[int]) -> None:
    block = "block turn(maps=0) { from [input[2], input[1], input[0]] }"
    assert ends(body, block) == channels


def lists_of(built: Network) -> list[Scope]:
    found: list[Scope] = []
    stack: list[Scope | Node] = [built.root]
    while stack:
        item = stack.pop()
        if isinstance(item, Scope):
            stack += item.children
            found += [item] if isinstance(item.output, Maps) else []
    return found


def test_a_loop_that_makes_a_list_has_its_label() -> None:
    """`branches.0`, and not `branches.blocks.0`."""
    built = layers(
        "conv 4 1x1\nlist { | | relu }\nbranches: twice\nconcat\nflatten, fc 3",
        blocks="block twice {\nboth: list { for map in input { | from map, conv 4 1x1 } }\n}",
    )
    names = [node.name for node in built.nodes if node.op.word == "conv"]
    assert names == ["conv", "branches.both.0.conv", "branches.both.1.conv"]
    assert {len(scope.output or ()) for scope in lists_of(built)} == {2}  # type: ignore[arg-type]


def test_one_map_is_merged_with_nothing() -> None:
    """A list may come to hold one map: then there is no sum, as with a loop of one round."""
    built = layers(
        "conv 4 1x1\nmaps: list { | relu }\nadd maps\nconcat { | from maps }\nflatten, fc 3"
    )
    assert [node.op.word for node in built.nodes] == ["input", "conv", "relu", "flatten", "fc"]


def test_numbers_have_parts_and_sums_too() -> None:
    built = layers("let w = [4, 8, 16]\nfor n in w[0..2] + [2] { conv n 1x1 }\nflatten, fc 3")
    assert [node.shape[0] for node in built.nodes][1:4] == [4, 8, 2]


def test_labels_of_the_caller_are_not_seen_in_defaults() -> None:
    block = "block one(n=len(sizes)) { conv n 1x1 }"
    assert codes(f"{THREE}concat\none\nflatten, fc 3", blocks=block) == ["function-arguments"]


MANY = "maps: list { repeat 900 { | conv 4 1x1 } }\n"
COSTLY = {
    "doubling": "one: conv 4\nmaps: from [one]\n"
    "repeat 5000 { from maps[0], relu, carry maps=maps + maps }",
    "sums": f"{MANY}repeat 400 {{ list {{ repeat 900 {{ | add maps }} }}, add }}",
    "calls": f"{MANY}repeat 5000 {{ each }}\nadd",
    "nested": f"{MANY}repeat 5000 {{ all }}\nadd",
}
BLOCKS = """
block each { list { for map in input { | from map } } }
block all { list { for map in input { | add { for other in input { | from other } } } } }
"""


@pytest.mark.parametrize("name", COSTLY)
def test_the_work_is_bounded(name: str) -> None:
    text = f"{BLOCKS}\nnetwork A {{\ninput 4x8x8\n{COSTLY[name]}\nflatten, fc 2\n}}"
    source = program(text)
    with pytest.raises(SpecError) as refused:
        raise SpecError(check(source, max_layers=2000))
    assert {found.code for found in refused.value.diagnostics} == {"limit"}
