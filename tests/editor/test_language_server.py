"""What an editor is told about a text: each answer of the language server."""

from __future__ import annotations

from pathlib import Path

import pytest

from editor.opened import WHOLE, at_cursor, opened, place

from lsprotocol import types as lsp  # isort: skip

import itertools

from dotcnn.dsl.source import Source
from dotcnn.editor.server import (
    completion,
    diagnostics,
    hints,
    hover,
    lenses,
    navigation,
    outline,
    signature,
    tokens,
)
from dotcnn.editor.server.document import Document
from dotcnn.editor.server.language_server import formatted
from dotcnn.editor.server.positions import offset, position
from support import ROOT

UNIT = """\
block unit(width, stride=1) {
  residual shortcut=auto { conv width 3x3 stride=stride same, bn, relu }
}

network Net(depth=3) {
  input 3x32x32
  stem: conv 16 3x3 same
  repeat depth as i { unit 32, unit 64 stride=(2 if i == 0 else 1) }
  pool avg global, flatten
  fc 10
}
"""


def shown(document: Document) -> dict[int, list[str]]:
    """The hints of each line, counted from 1."""
    found: dict[int, list[str]] = {}
    for hint in hints.hints(document, WHOLE):
        found.setdefault(hint.position.line + 1, []).append(str(hint.label))
    return found


# ---- hints ---------------------------------------------------------------------------------------


def test_shapes_at_line_ends() -> None:
    found = shown(opened(UNIT))
    assert found[6] == ["3x32x32"]
    assert found[8] == ["64x16x16  x3 = 109k", "width=", "width="]
    assert found[9] == ["64"]
    assert found[10] == ["10"]


def test_a_block_shows_one_of_its_calls() -> None:
    document = opened(UNIT)
    assert shown(document)[2] == ["32x32x32  5.25k (call 1 of 6)"]
    lenses.next_call(document, "unit")
    assert shown(document)[2] == ["64x16x16  20.7k (call 2 of 6)"]
    assert [lens.command.title for lens in lenses.lenses(document, False) if lens.command] == [
        "call 2 of 6: 32x32x32 → 64x16x16, 20.7k parameters",
        "3x32x32 → 10: 110k parameters, 31.9M multiply-adds, 41 layers",
    ]


def test_lines_that_did_not_change_keep_their_hints() -> None:
    document = opened(UNIT)
    before = shown(document)
    document.change(UNIT.replace("  pool avg", "  conv 8 3\n  con\n  pool avg"), 2)
    assert document.now.network is None
    after = shown(document)
    assert after[6] == before[6]
    assert after[12] == before[10]
    assert 9 not in after


# ---- mistakes and fixes --------------------------------------------------------------------------


def test_mistakes_with_the_fixes_that_were_tried() -> None:
    document = opened(UNIT.replace("pool avg", "pool av").replace("relu }", "rleu }"))
    found = diagnostics.diagnostics(document)
    assert [each.code for each in found] == ["unknown-layer", "unknown-kind"]
    assert place(found[1].range) == "9:8-9:10"
    actions = diagnostics.actions(document, found[1].range)
    assert [action.title for action in actions] == [
        "Did you mean `avg`?",
        "Fix all mistakes that have a fix",
    ]
    edit = actions[-1].edit
    assert edit is not None
    assert edit.changes is not None
    assert [each.new_text for each in edit.changes[document.uri]] == ["relu", "avg"]


def test_all_of_a_kind_are_fixed_at_once() -> None:
    document = opened("network N { input 3x8x8, conv 8 stide=2, conv 8 stide=2 }")
    titles = [action.title for action in diagnostics.actions(document, WHOLE)]
    assert any(title.startswith("Fix all 2 mistakes of this kind") for title in titles)


def test_places_beside_the_mistake_and_those_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "parts.cnn").write_text("block one { cnv 8 }\n")
    text = 'import "parts.cnn"\nnetwork N { input 3x8x8, one }\n'
    document = opened(text, (tmp_path / "net.cnn").as_uri())
    (found,) = diagnostics.diagnostics(document)
    assert found.message.startswith("parts.cnn:")
    assert found.related_information is not None
    assert found.related_information[0].location.uri == (tmp_path / "parts.cnn").as_uri()


@pytest.mark.parametrize("text", ["", "{", "network", "network N {", "import", '"', "\x00", "🙂"])
def test_any_text_can_be_asked_about(text: str) -> None:
    document = opened(text)
    end = position(document.source, len(document.source.text))
    diagnostics.diagnostics(document)
    diagnostics.actions(document, WHOLE)
    hints.hints(document, WHOLE)
    hover.hover(document, end)
    completion.completion(document, end)
    signature.signature_help(document, end)
    navigation.definition(document, end)
    outline.symbols(document)
    outline.folding(document)
    outline.selection(document, [end])
    tokens.tokens(document)
    formatted(document)


# ---- hover ---------------------------------------------------------------------------------------


def told(text: str) -> str:
    found = hover.hover(*at_cursor(text))
    assert found is not None
    assert isinstance(found.contents, lsp.MarkupContent)
    return found.contents.value


def test_hover() -> None:
    layer = told(UNIT.replace("stem: conv", "stem: co¦nv"))
    assert layer.startswith("`3x32x32` → `16x32x32`\n\n448 parameters (0.4 %)")
    assert "filter size" in layer
    block = told(UNIT.replace("{ unit 32", "{ un¦it 32"))
    assert "Executed 3 times; it leaves `32x32x32`, `32x16x16`." in block
    assert "block unit(width, stride=1)" in block
    assert "here: `32`, `64`" in told(UNIT.replace("unit(width", "unit(wi¦dth"))
    assert "here: `0`, `1`, `2`" in told(UNIT.replace("as i ", "as ¦i "))
    assert "default: `3`" in told(UNIT.replace("Net(depth", "Net(de¦pth"))
    assert "never read" in told(UNIT.replace("stem:", "st¦em:"))
    assert "109,770" in told(UNIT.replace("network Net", "network N¦et"))
    assert "of `conv`" in told(UNIT.replace("3x3 stride", "3x3 st¦ride"))


def test_hover_fills_in_the_defaults_of_directives() -> None:
    text = UNIT + "train { data digits, opti¦mizer sgd }\n"
    assert "optimizer sgd lr=" in told(text)
    assert "momentum=0" in told(text)
    assert "batch 64" in told(text.replace("¦", "").replace("train", "tra¦in"))


# ---- completion ----------------------------------------------------------------------------------


def offered(text: str) -> list[str]:
    items = completion.completion(*at_cursor(text)).items
    return [item.label for item in sorted(items, key=lambda item: item.sort_text or "")]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("¦", ["unit"]),
        ("conv 64 ¦", ["same", "same_upper", "standardize", "bias="]),
        ("conv 64 mode=¦", ["circular", "reflect", "replicate", "zeros"]),
        ("pool ¦", ["avg", "l2", "lp", "max"]),
        ("unit ¦", ["stride=", "width="]),
        ("add ¦", ["stem"]),
        ("from ¦", ["stem"]),
        ("residual shortcut=¦", ["auto", "identity", "match", "pad", "project"]),
        ("conv 2*¦", ["depth", "i"]),
    ],
)
def test_completion_knows_the_place(line: str, first: list[str]) -> None:
    assert offered(UNIT.replace("unit 32,", f"{line}\n"))[: len(first)] == first


def test_names_of_the_moment_are_offered() -> None:
    """Also while the text has a mistake, and was right before."""
    document = opened(UNIT)
    text = UNIT.replace("block unit", "block later { relu }\nblock unit").replace("fc 10", "la")
    document.change(text, 2)
    end = position(document.source, text.index("  la\n") + 4)
    labels = [item.label for item in completion.completion(document, end).items]
    assert {"later", "unit"} <= {*labels}


SWEPT = """\
network Net(width=16) {
  input 1x8x8
  conv width 3x3, relu, flatten
  fc 10
}
sweep {
  width in [8, 16]
  trials 3
}
"""


def test_a_sweep_offers_the_parameters_of_the_network() -> None:
    assert offered(SWEPT.replace("trials 3", "¦"))[0] == "width"
    assert "trials" in offered(SWEPT.replace("trials 3", "¦"))
    assert "sampler tpe" in told(SWEPT.replace("sweep {", "sw¦eep {"))
    text = SWEPT.replace("Net(width", "Net(wi¦dth")
    assert renamed(text, "channels").count("channels") == 3


def test_completion_of_sections_and_files(tmp_path: Path) -> None:
    assert offered("train { optimizer ¦ }")[:3] == ["adam", "adamw", "muon"]
    assert "flip" in offered("augment { ¦ }")
    assert "conv" not in offered("augment { ¦ }")
    assert {"network", "block", "train"} <= {*offered("¦")}
    (tmp_path / "mine.cnn").write_text("block b { relu }\n")
    found = completion.completion(*at_cursor('import "¦"', (tmp_path / "n.cnn").as_uri())).items
    assert {"mine.cnn", "resnet"} <= {item.label for item in found}
    assert "blocks.cnn" in offered('import "resnet/¦"')


def test_a_block_of_the_gallery_brings_its_import() -> None:
    document, at = at_cursor("# Mine.\n\nnetwork N { input 3x8x8, bottle¦ }")
    items = completion.completion(document, at).items
    item = next(item for item in items if item.label == "bottleneck")
    assert item.additional_text_edits is not None
    (edit,) = item.additional_text_edits
    assert edit.new_text.startswith('import "')
    assert edit.range.start.line == 1


def test_words_of_other_tools_become_ours() -> None:
    items = completion.completion(*at_cursor("network N { input 3x8x8, Conv2¦ }")).items
    conv = next(item for item in items if item.label == "Conv2D")
    assert isinstance(conv.text_edit, lsp.TextEdit)
    assert conv.text_edit.new_text == "conv"


@pytest.mark.parametrize(
    ("line", "active"),
    [("conv ¦", "out"), ("conv 64 ¦", "kernel=1"), ("conv 64 3 same ¦", "stride=1"),
     ("conv 64 pad=¦", "pad=0"), ("unit ¦", "width"), ("unit 3 stride=¦", "stride=1")],
)  # fmt: skip
def test_signature_help(line: str, active: str) -> None:
    text = UNIT.replace("unit 32,", f"{line}\n")
    found = signature.signature_help(*at_cursor(text))
    assert found is not None
    assert found.active_parameter is not None
    (one,) = found.signatures
    assert one.parameters is not None
    label = one.parameters[found.active_parameter].label
    assert isinstance(label, tuple)
    assert one.label[label[0] : label[1]] == active


# ---- names ---------------------------------------------------------------------------------------


def test_definition_and_references(tmp_path: Path) -> None:
    (tmp_path / "parts.cnn").write_text("# mine\nblock one { conv 8 3x3 }\n")
    other = tmp_path / "other.cnn"
    other.write_text('import "parts.cnn"\nnetwork O { input 3x8x8, one, one }\n')
    text = 'import "parts.cnn"\nnetwork N { input 3x8x8, o¦ne }\n'
    document, at = at_cursor(text, (tmp_path / "net.cnn").as_uri())
    found = navigation.definition(document, at)
    assert found is not None
    assert (found.uri, place(found.range)) == ((tmp_path / "parts.cnn").as_uri(), "2:7-2:10")
    places = navigation.references(document, at, True)
    assert sorted(each.uri.rpartition("/")[2] for each in places) == [
        "net.cnn", "other.cnn", "other.cnn", "parts.cnn",
    ]  # fmt: skip
    edit = navigation.rename(document, at, "two")
    assert edit.changes is not None
    assert {uri.rpartition("/")[2]: len(edits) for uri, edits in edit.changes.items()} == {
        "net.cnn": 1, "other.cnn": 2, "parts.cnn": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"),
    [("conv", "a word of the language"), ("3x", "is not a name"), ("Net", "here already")],
)
def test_names_that_cannot_be_given(name: str, why: str) -> None:
    document, at = at_cursor(UNIT.replace("block unit", "block un¦it"))
    with pytest.raises(navigation.CannotRename, match=why):
        navigation.rename(document, at, name)


def test_a_renamed_text_is_the_same_network() -> None:
    for word, spot in [("width", "unit(wi¦dth"), ("i", "as ¦i"), ("stem", "st¦em:")]:
        document, at = at_cursor(UNIT.replace(spot.replace("¦", ""), spot))
        edit = navigation.rename(document, at, "renamed")
        assert edit.changes is not None
        text = document.source.text
        for each in sorted(edit.changes[document.uri], key=lambda e: e.range.start, reverse=True):
            start, end = (offset(document.source, at) for at in (each.range.start, each.range.end))
            assert text[start:end] == word
            text = text[:start] + each.new_text + text[end:]
        before, after = document.now.network, Document("file:///a.cnn", text).now.network
        assert before is not None
        assert after is not None
        assert [node.shape for node in before.nodes] == [node.shape for node in after.nodes]


def renamed(text: str, name: str) -> str:
    document, at = at_cursor(text)
    edit = navigation.rename(document, at, name)
    assert edit.changes is not None
    written = document.source.text
    for each in sorted(edit.changes[document.uri], key=lambda e: e.range.start, reverse=True):
        start, end = (offset(document.source, at) for at in (each.range.start, each.range.end))
        written = written[:start] + each.new_text + written[end:]
    return written


def test_rename_of_a_parameter_reaches_calls_by_name() -> None:
    text = UNIT.replace("unit 32", "unit width=32").replace("unit(width", "unit(wi¦dth")
    written = renamed(text, "wide")
    assert "unit wide=32" in written
    assert "block unit(wide, stride=1)" in written
    assert "conv wide 3x3 stride=stride" in written


def test_rename_of_a_label_reaches_sections_that_mean_it() -> None:
    text = UNIT.replace("stem:", "st¦em:") + 'transfer { from "w.pt", freeze only stem }\n'
    assert "freeze only first" in renamed(text, "first")


def test_calls_of_blocks() -> None:
    document, at = at_cursor(UNIT.replace("block unit", "block un¦it"))
    items = navigation.prepare_calls(document, at)
    assert items is not None
    (call,) = navigation.incoming(document, items[0])
    assert (call.from_.name, len(call.from_ranges)) == ("Net", 2)
    (back,) = navigation.outgoing(document, call.from_)
    assert back.to.name == "unit"


# ---- structure -----------------------------------------------------------------------------------


def test_outline() -> None:
    unit, net = outline.symbols(opened(UNIT))
    assert (unit.name, net.name) == ("unit", "Net")
    assert net.children is not None
    assert [(each.name, each.detail) for each in net.children] == [
        ("stem", "16x32x32"),
        ("repeat", "64x16x16"),
    ]
    assert [(each.start_line, each.end_line) for each in outline.folding(opened(UNIT))] == [
        (0, 1),
        (4, 9),
    ]


def test_selection_grows() -> None:
    document, at = at_cursor(UNIT.replace("conv width", "conv wi¦dth"))
    (selected,) = outline.selection(document, [at])
    texts = []
    step: lsp.SelectionRange | None = selected
    while step is not None:
        start, end = (offset(document.source, p) for p in (step.range.start, step.range.end))
        texts.append(document.source.text[start:end])
        step = step.parent
    assert texts[0] == "width"
    assert texts[1] == "conv width 3x3 stride=stride same"
    assert texts[-1] == document.source.text
    assert all(inner in outer for inner, outer in itertools.pairwise(texts))


def test_tokens_say_what_a_word_is() -> None:
    document = opened(UNIT)
    lines = document.source.text.split("\n")
    found: list[tuple[str, str]] = []
    data = list(tokens.tokens(document).data)
    line = column = 0
    for n in range(0, len(data), 5):
        down, right, length, kind = data[n : n + 4]
        line, column = line + down, right + (0 if down else column)
        found.append((lines[line][column : column + length], tokens.TYPES[kind]))
    for pair in [("block", "keyword"), ("unit", "function"), ("width", "parameter"),
                 ("stride", "property"), ("same", "enumMember"), ("conv", "class"),
                 ("stem", "label"), ("i", "variable"), ("3x32x32", "number")]:  # fmt: skip
        assert pair in found


def test_formatting() -> None:
    assert formatted(opened(UNIT)) == []
    (edit,) = formatted(opened("network   N {input 3x8x8\nrelu}")) or []
    assert edit.new_text == "network N {\n  input 3x8x8\n  relu\n}\n"
    assert formatted(opened("network N {")) is None


def test_positions_count_as_the_protocol_does() -> None:
    source = Source("net.cnn", "# 🙂 é\r\nab\n")
    assert position(source, 4) == lsp.Position(0, 5)
    assert offset(source, lsp.Position(0, 5)) == 4
    assert offset(source, lsp.Position(0, 99)) == 5
    assert offset(source, lsp.Position(1, 1)) == 8
    assert offset(source, lsp.Position(9, 0)) == len(source.text)


@pytest.mark.parametrize("spec", ["googlenet/googlenet.cnn", "unet/unet.cnn", "hrnet/hrnet.cnn"])
def test_the_gallery_is_shown(spec: str) -> None:
    path = ROOT / "specs" / spec
    document = opened(path.read_text(encoding="utf-8"), path.as_uri())
    assert not diagnostics.diagnostics(document)
    assert len(shown(document)) > 5
