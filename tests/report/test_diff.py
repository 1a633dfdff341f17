"""What differs between two networks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, reject, settings

from dotcnn.compiler.analysis import Analysis, analyse
from dotcnn.compiler.report.diff import Difference, difference
from dotcnn.compiler.report.diff_text import diff_json, diff_text
from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import SpecError
from networks import gallery, network
from random_networks import specs
from support import grows_linearly

from .examples import ALL, LENET, RESIDUAL, UNET, analysed

Golden = Callable[[str, str], None]


def between(before: str, after: str) -> Difference:
    return difference(analysed(before), analysed(after))


def drawn(text: str) -> Analysis:
    """Of a random network, if it is one."""
    try:
        return analysed(text)
    except SpecError:
        reject()


def body(statements: str) -> str:
    return f"network Net {{\ninput 3x32x32\n{statements}\n}}"


def names(found: Difference) -> tuple[list[str], list[str], list[str]]:
    """What went, what came, what changed."""
    changed = [each.after.name for each in found.changed]
    return [p.name for p in found.removed], [p.name for p in found.added], changed


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("same", LENET, LENET),
        ("argument", LENET, LENET.replace("conv 16 5x5", "conv 24 3x3 same")),
        ("inserted", LENET, LENET.replace("conv 16", "conv 12 3x3 same, tanh\n  conv 16")),
        ("activation", LENET, LENET.replace("conv 16 5x5, tanh", "conv 16 5x5, relu")),
        ("deeper", RESIDUAL, RESIDUAL.replace("repeat 4", "repeat 9")),
        ("input", LENET, LENET.replace("32x32", "40x40").replace("fc 120", "fc 130")),
        ("other", LENET, UNET),
    ],
)
def test_text(name: str, before: str, after: str, golden: Golden) -> None:
    golden(f"report/diff.{name}.txt", diff_text(between(before, after)) + "\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_there_is_room(width: int) -> None:
    found = difference(analyse(gallery("resnet/resnet18")), analyse(gallery("resnet/resnet50")))
    lines = diff_text(found, style=Style(width)).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("name", ALL)
def test_a_network_is_the_same_as_itself(name: str) -> None:
    found = between(ALL[name], ALL[name])
    assert found.same
    assert not found.renamed
    assert len(found.partner) == len(found.before.network.nodes)


@given(specs())
@settings(max_examples=15)
def test_a_random_network_is_the_same_as_itself(text: str) -> None:
    assert difference(drawn(text), drawn(text)).same


@given(specs(), specs())
@settings(max_examples=15)
def test_nothing_is_lost_between_two_random_networks(before: str, after: str) -> None:
    """Every layer went, or came, or has one partner."""
    found = difference(drawn(before), drawn(after))
    gone = {node.index for part in found.removed for node in _nodes(part)}
    new = {node.index for part in found.added for node in _nodes(part)}
    assert gone | set(found.partner) == set(range(len(found.before.network.nodes)))
    assert not gone & set(found.partner)
    assert new | set(found.partner.values()) == set(range(len(found.after.network.nodes)))
    assert not new & set(found.partner.values())
    assert len(set(found.partner.values())) == len(found.partner)
    diff_text(found)
    json.loads(diff_json(found))


def _nodes(part: object) -> list[object]:
    return list(part.nodes()) if hasattr(part, "nodes") else [part]


def test_a_layer_put_in_moves_no_other() -> None:
    found = between(body("conv 8 3x3, relu"), body("conv 8 3x3, bn, relu"))
    assert names(found) == ([], ["bn"], [])


def test_a_layer_put_in_before_others_of_its_kind() -> None:
    """Numbers in names shift: the layers are the same all the same."""
    found = between(
        body("conv 8 3x3, relu, conv 16 3x3, relu"),
        body("conv 4 1x1, relu, conv 8 3x3, relu, conv 16 3x3, relu"),
    )
    assert names(found) == ([], ["conv1", "relu1"], [])
    assert [(a.name, b.name) for a, b in found.renamed] == [("conv1", "conv2"), ("conv2", "conv3")]


def test_layers_put_into_a_block_have_not_changed() -> None:
    plain = body("conv 8 3x3, bn, relu, pool max 2x2, conv 16 3x3, bn, relu")
    block = "block unit(width) { conv width 3x3, bn, relu }\n"
    found = between(plain, block + body("unit 8, pool max 2x2, unit 16"))
    assert found.same
    assert len(found.renamed) == 4


def test_a_shortcut_that_begins_elsewhere() -> None:
    before = body("a: conv 8 1x1\nb: relu\nconv 8 3x3 same\nadd a")
    found = between(before, before.replace("add a", "add b"))
    assert names(found) == ([], [], ["add"])
    assert found.changed[0].rewired


def test_labels_hold_layers_together() -> None:
    found = between(
        body("one: conv 8 3x3, two: conv 8 3x3"), body("two: conv 8 5x5, one: conv 8 3x3")
    )
    assert names(found) == (["two"], ["two"], [])


def test_a_label_more_changes_nothing_but_the_name() -> None:
    found = between(body("conv 8 3x3, relu"), body("stem: conv 8 3x3, relu"))
    assert found.same
    assert [(a.name, b.name) for a, b in found.renamed] == [("conv", "stem")]


def test_a_path_more_changes_what_brings_the_paths_together() -> None:
    found = between(
        body("inception {\n| conv 4\n| conv 8 3x3 same\n}"),
        body("inception {\n| conv 4\n| conv 8 3x3 same\n| relu, conv 2\n}"),
    )
    assert names(found) == ([], ["relu", "conv3"], ["concat"])


def test_followers_are_affected_not_changed() -> None:
    found = between(LENET, LENET.replace("conv 6", "conv 8"))
    assert names(found) == ([], [], ["conv1"])
    assert [after.name for _, after in found.affected] == ["tanh1", "pool1", "conv2"]


def test_json(golden: Golden) -> None:
    found = between(LENET, LENET.replace("conv 16 5x5", "conv 24 3x3 same"))
    text = diff_json(found)
    golden("report/diff.argument.json", text + "\n")
    data = json.loads(text)
    assert data["totals"]["parameters"] == [61706, found.after.totals.params]


@pytest.mark.slow
def test_many_layers() -> None:
    """In time that grows with their number, not with its square."""

    def both(count: int) -> list[Analysis]:
        many = body(f"repeat {count} {{ conv 4 3x3 same, bn, relu, conv 4 }}")
        fewer = many.replace(str(count), str(count - 10)).replace("conv 4 }", "conv 4 }, relu")
        return [analyse(network(text, max_layers=200_000)) for text in (many, fewer)]

    few = 500
    analyses = {few: both(few), 8 * few: both(8 * few)}
    assert grows_linearly(lambda count: difference(*analyses[count]), few)
    found = difference(*analyses[8 * few])
    assert len(found.removed) == 10
    assert [part.name for part in found.added] == ["relu"]


# ---- what changed most --------------------------------------------------------------------------


def most(before: str, after: str) -> list[tuple[object, object]]:
    found = json.loads(diff_json(between(before, after)))["changed_most"]
    return [(each["before"], each["after"]) for each in found]


def test_the_layers_that_changed_most_are_named() -> None:
    """A 1x1 convolution before the 5x5: what makes the difference is written as before."""
    text = diff_text(difference(*map(analyse, map(gallery, NAIVE_AND_REDUCED))))
    line = next(line for line in text.splitlines() if line.startswith("conv3 -> conv5"))
    assert "conv 32 5x5 same" in line
    assert "120,422,400 -> 10,035,200" in line
    assert "3 layers (conv3, conv5, concat) are written as before" in text


NAIVE_AND_REDUCED = ("teaching/inception_naive", "teaching/inception_reduced")


def test_all_kinds_of_change_compete() -> None:
    before = body("conv 8 3x3 same, relu, one: conv 64 3x3 same, flatten, fc 10")
    after = body("conv 16 3x3 same, relu, flatten, fc 10")
    assert most(before, after) == [("one", None), ("fc", "fc"), ("conv", "conv")]


def test_what_hardly_changed_is_not_among_them() -> None:
    before = body("conv 64 3x3 same, relu, conv 64 3x3 same, relu, conv 64 3x3 same")
    assert most(before, before.replace("64 3x3 same, relu, ", "64 3x3 same, bn, relu, ", 1)) == []
    assert most(before, before) == []


def test_the_few_lines_above_are_not_repeated() -> None:
    before = body("conv 8 3x3 same, relu, conv 64 3x3 same")
    after = before.replace("64 3x3", "64 5x5")
    assert "changed most" not in diff_text(between(before, after))


def test_a_short_round_more_is_written_as_its_layers() -> None:
    """`round 4 of 4` would not say what was added."""
    stage = "repeat {} {{ conv 8 3x3 same, relu }}"
    found = between(body(stage.format(3)), body(stage.format(4)))
    assert "conv 8 3x3 same, relu, 2 layers" in diff_text(found)
    found = between(body(stage.format(3)), body(stage.format(6)))
    assert "(conv 8 3x3 same, relu) x3, 6 layers" in diff_text(found)
