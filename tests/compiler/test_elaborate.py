"""From statements to a network: composition, names in scope, shapes, what is refused."""

from __future__ import annotations

import pytest

from dotcnn.compiler.build.elaborate import elaborate, examine
from dotcnn.dsl.diagnostics import SpecError
from networks import codes, diagnose, layers, names, network, node, program, words


def params(found: object) -> int:
    total = 0
    for item in found.nodes:  # type: ignore[attr-defined]
        for weight in item.weights:
            size = 1
            for side in weight.shape:
                size *= side
            total += size if weight.trainable else 0
    return total


# ---- residual --------------------------------------------------------------------------------


def test_residual_adds_its_input_where_shapes_agree() -> None:
    found = layers("residual { conv 3 3x3 same }")
    assert words(found) == ["input", "conv", "add"]
    assert [source.name for source in found.output.inputs] == ["conv", "input"]


def test_auto_shortcut_is_a_projection_of_the_needed_stride() -> None:
    found = layers("residual { conv 8 3x3 stride=2 same, bn }")
    assert names(found) == ["conv", "bn", "shortcut.conv", "shortcut.bn"]
    assert node(found, "shortcut.conv").op.arguments["stride"] == (2, 2)
    assert node(found, "shortcut.conv").op.arguments["bias"] is False
    assert found.output.shape == (8, 16, 16)


@pytest.mark.parametrize("kind", ["auto", "project", "pad"])
@pytest.mark.parametrize(
    "body",
    [
        "pool avg global, conv 8 1x1",  # a stride of 32
        "conv 8 5x5, conv 8 12x12, relu",  # not padded
        "crop 16x16, conv 8 1x1",
        "conv 8 3x3 stride=3, bn",  # ends in 10x10, and a stride of 3 in 11x11
    ],
)
def test_a_shortcut_has_the_stride_of_its_body(kind: str, body: str) -> None:
    """No published network projects where no layer of the body steps over the map."""
    (found,) = diagnose(f"residual shortcut={kind} {{ {body} }}")
    assert found.code == "shape"
    assert "shortcut=" not in found.help


def test_a_projection_at_a_size_of_one_keeps_its_stride() -> None:
    body = "pool avg 32, residual { conv 8 3x3 stride=2 same, bn }"
    assert node(layers(body), "shortcut.conv").op.arguments["stride"] == (2, 2)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("project", "conv 3 3x3 same", ["conv", "shortcut.conv", "shortcut.bn"]),
        ("identity", "conv 3 3x3 same", ["conv"]),
        ("match", "conv 8 3x3 same", ["conv"]),
        ("match", "conv 3 3x3 same", ["conv"]),
        ("pad", "conv 8 3x3 stride=2 same", ["conv"]),
    ],
)
def test_shortcuts(kind: str, body: str, expected: list[str]) -> None:
    assert names(layers(f"residual shortcut={kind} {{ {body} }}")) == expected


def test_match_without_a_match_is_the_body_alone() -> None:
    """MobileNetV2's inverted residuals: no shortcut where the shapes differ."""
    assert words(layers("residual shortcut=match { conv 8 }")) == ["input", "conv"]


def test_residual_with_both_paths_written_out() -> None:
    found = layers("residual { | conv 8 3x3 same, bn | conv 8 1x1 }")
    assert [source.op.word for source in found.output.inputs] == ["bn", "conv"]


def test_what_a_residual_adds_may_be_scaled() -> None:
    """Inception-ResNet multiplies it by 0.1 to 0.3."""
    found = layers("residual scale=0.17 { conv 3 3x3 same }\nresidual scale=0.5 { | bn | relu }")
    assert [item.op.short_word for item in found.nodes[1:]] == [
        "conv", "scaled", "add", "bn", "relu", "scaled", "add",
    ]  # fmt: skip
    assert names(found) == ["conv", "bn"]


# ---- paths -----------------------------------------------------------------------------------


def test_inception_and_concat_are_one() -> None:
    paths = "{ | conv 4 | conv 8 3x3 same | pool max 3x3 stride=1 same }"
    for word in ("inception", "concat"):
        assert layers(f"{word} {paths}").output.shape == (15, 32, 32)


def test_an_empty_path_is_the_identity() -> None:
    found = layers("concat { | conv 4 | }")
    assert [source.name for source in found.output.inputs] == ["conv", "input"]


def test_dense_puts_its_input_first() -> None:
    found = layers("dense { conv 12 3x3 same }")
    assert [source.name for source in found.output.inputs] == ["input", "conv"]
    assert found.output.shape == (15, 32, 32)


def test_gate_spreads_one_number_a_channel() -> None:
    found = layers("gate { pool avg global, conv 3 1x1, sigmoid }")
    assert found.output.op.word == "mul"
    assert found.output.shape == (3, 32, 32)


def test_split_divides_the_channels() -> None:
    found = layers("split { | | conv 8 1x1 }", input="16x8x8")
    assert found.output.shape == (16, 8, 8)
    assert node(found, "conv").input_shapes == ((8, 8, 8),)


@pytest.mark.parametrize("word", ["add", "mul", "maximum"])
def test_other_merges(word: str) -> None:
    found = layers(f"{word} {{ | conv 4 | conv 4 3x3 same }}")
    assert found.output.op.word == word
    assert found.output.shape == (4, 32, 32)


def test_aux_head_leaves_the_main_path_alone() -> None:
    found = layers("conv 8\naux weight=0.4 { pool avg global, flatten, fc 10 }\nrelu")
    assert found.output.op.word == "relu"
    (head,) = found.aux
    assert head.weight == 0.4
    assert head.node.name == "aux.fc"
    assert [item.name for item in found.nodes if item.aux] == ["aux.pool", "aux.flatten", "aux.fc"]


# ---- connections across the nesting ----------------------------------------------------------


def test_labels_connect_across_the_nesting() -> None:
    """A U-Net of one step: what was labelled on the way down is put beside what comes up."""
    found = layers(
        "down: conv 8 3x3 same\npool max 2x2\nconv 16 3x3 same\nupsample 2\nconcat down\nconv 2"
    )
    assert node(found, "concat").input_shapes == ((16, 32, 32), (8, 32, 32))


def test_from_goes_on_from_a_label() -> None:
    found = layers("stem: conv 8\nleft: conv 16\nfrom stem\nright: conv 16\nadd left")
    assert [source.name for source in node(found, "right").inputs] == ["stem"]
    assert [source.name for source in found.output.inputs] == ["right", "left"]


def test_naming_what_arrives_keeps_the_order_written() -> None:
    found = layers("a: conv 8\nfrom a\nb: conv 8\nconcat a b")
    assert [source.name for source in found.output.inputs] == ["a", "b"]


def test_several_names_are_all_that_is_merged() -> None:
    """What arrives is merged with one name; beside several it would be a silent third path."""
    found = layers("a: conv 4\nb: conv 6\nc: conv 3\nconcat a b, conv 3, add c")
    assert [source.name for source in found.by_name["concat"].inputs] == ["a", "b"]
    assert codes("a: conv 4\nb: conv 6\nconv 3\nconcat a b") == ["dead-layer"]
    cell = "block cell(a, b) { concat a b, conv 4 }"
    found = layers("s: conv 4\nt: conv 4\none: cell s t\ntwo: cell s t\nadd one", blocks=cell)
    counts = [len(node.inputs) for node in found.nodes if node.op.word == "concat"]
    assert counts == [2, 2]


def test_labels_reach_into_scopes() -> None:
    found = layers("stage: repeat 2 { mid: conv 8 3x3 same }\nadd stage.0.mid")
    assert [source.name for source in found.output.inputs] == ["stage.1.mid", "stage.0.mid"]


def test_a_block_does_not_see_the_labels_of_who_calls_it() -> None:
    assert codes("stem: conv 8\npart", blocks="block part { add stem }") == ["unknown-label"]
    layers("stem: conv 8\naux { from stem\nflatten, fc 3 }\nrelu")


def test_labels_of_one_path_are_known_in_the_next() -> None:
    """Res2Net adds what one path made to what the next one takes."""
    found = layers("concat { | first: conv 3 | add first, conv 3 }")
    assert [source.name for source in found.by_name["add"].inputs] == ["input", "first"]


def test_one_thing_may_be_an_input_twice() -> None:
    found = layers("a: conv 8\nconcat a a")
    assert [source.name for source in found.output.inputs] == ["a", "a"]
    assert found.graph.number_of_edges("a", "concat") == 2


# ---- blocks, loops, values -------------------------------------------------------------------


def test_blocks_take_arguments_by_place_and_name() -> None:
    block = "block unit(width, kernel=3, stride=1) { conv width kernel stride=stride same, relu }"
    found = layers("unit 8 5 stride=2\nunit stride=2 width=4", blocks=block)
    assert found.output.shape == (4, 8, 8)
    assert node(found, "unit1.conv").op.arguments["kernel"] == (5, 5)


def test_blocks_and_layers_are_arguments() -> None:
    blocks = "block twice(unit, act=relu) { unit 8, act, unit 8, act }\nblock thin(w) { conv w }"
    assert words(layers("twice thin act=silu", blocks=blocks)) == [
        "input", "conv", "silu", "conv", "silu",
    ]  # fmt: skip
    assert words(layers("twice conv", blocks=blocks))[1:3] == ["conv", "relu"]


def test_a_block_handed_on_is_compared_with_its_name() -> None:
    blocks = "block one { conv 4 }\nblock two { fc 4 }\n"
    blocks += "block which(unit) { if unit == two { unit } else { bn, unit } }"
    assert words(layers("flatten, which two", blocks=blocks))[2:] == ["fc"]
    assert words(layers("which one", blocks=blocks))[1:] == ["bn", "conv"]


def test_a_block_handed_on_keeps_the_names_of_its_file() -> None:
    blocks = (
        "let width = 5\nblock inner { conv width }\nblock outer(unit, width) { conv width, unit }"
    )
    found = layers("outer inner 7", blocks=blocks)
    assert [item.shape[0] for item in found.nodes] == [3, 7, 5]


def test_what_arrives_is_known_in_expressions() -> None:
    body = "conv 2*channels stride=2\nconv channels + height\nreshape channels*width*height"
    found = layers(body)
    assert [item.shape for item in found.nodes[1:]] == [(6, 16, 16), (22, 16, 16), (5632,)]


def test_a_parameter_hides_what_arrives() -> None:
    found = layers("part 7", blocks="block part(channels) { conv channels }")
    assert found.output.shape[0] == 7


def test_classes_has_a_default_and_follows_the_data() -> None:
    text = "network Net { input 3x8x8\nflatten, fc classes }"
    assert network(text).output.shape == (10,)
    assert network(text, classes=37).output.shape == (37,)


def test_loops() -> None:
    found = layers("for w, d in [(4, 2), (8, 1)] { repeat d as i { conv w + i } }")
    assert [item.shape[0] for item in found.nodes] == [3, 4, 5, 8]
    assert words(layers("repeat 0 { conv 3 }\nrelu")) == ["input", "relu"]


def test_if_takes_the_first_arm_that_holds() -> None:
    body = "let n = {}\nif n > 2 {{ conv 8 }} else if n == 2 {{ relu }} else {{ tanh }}"
    for n, word in [(3, "conv"), (2, "relu"), (1, "tanh")]:
        assert words(layers(body.format(n))) == ["input", word]


def test_let_is_seen_inside_and_not_outside() -> None:
    found = layers("let w = 4\nrepeat 2 { let v = w*2\nconv v }")
    assert found.output.shape[0] == 8
    assert codes("repeat 2 { let v = 3 }\nconv v")[0] == "unknown-name"


def test_imported_blocks_see_their_own_file(tmp_path: object) -> None:
    from pathlib import Path

    from dotcnn.dsl.files import read_file
    from dotcnn.dsl.program import load_program

    folder = Path(str(tmp_path))
    (folder / "deep.cnn").write_text("block deep { conv 5 }\n")
    (folder / "parts.cnn").write_text('import "deep.cnn"\nlet w = 7\nblock part { conv w, deep }\n')
    main = folder / "net.cnn"
    main.write_text('import "parts.cnn"\nnetwork N { input 3x8x8\npart }\n')
    found = elaborate(load_program(read_file(main)))
    assert [item.shape[0] for item in found.nodes] == [3, 7, 5]
    main.write_text('import "parts.cnn"\nnetwork N { input 3x8x8\ndeep }\n')
    with pytest.raises(SpecError):
        elaborate(load_program(read_file(main)))


def test_network_parameters_are_overridden() -> None:
    text = "network Net(width=8, act=relu) { input 3x8x8\nconv width, act }"
    assert network(text, overrides={"width": 5}).output.shape[0] == 5
    result = examine(program(text), overrides={"widht": 5})
    assert result.network is None
    assert result.diagnostics[0].help == "did you mean `width`?"


def test_the_input_can_be_replaced() -> None:
    text = "network Net { input 3x8x8\nconv 4 }"
    assert network(text, input_shape=(1, 5, 6)).output.shape == (4, 5, 6)


def test_the_last_network_of_a_file_is_the_main_one() -> None:
    text = "network A { input 3x8x8\nconv 4 }\nnetwork B { input 3x8x8\nconv 5 }"
    assert network(text).name == "B"
    assert network(text, network="A").name == "A"


# ---- bias=auto -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "bias"),
    [
        ("conv 8", True),
        ("conv 8, bn", False),
        ("conv 8, relu, bn", True),
        ("conv 8 bias=on, bn", True),
        ("conv 8 bias=off", False),
        ("a: conv 8\nbn\nadd a", True),
        ("conv 8, gn 4", False),
    ],
)
def test_bias_auto_is_off_directly_before_a_normalisation(body: str, bias: bool) -> None:
    """Before one that takes it out again, and only if that is all it goes into."""
    found = layers(body)
    assert found.nodes[1].op.arguments["bias"] is bias


# ---- one mistake is one message --------------------------------------------------------------


def test_a_mistake_in_a_block_is_told_once() -> None:
    block = "block part { conv 8 3x3 strid=2 }"
    assert codes("repeat 5 { part }\npart", blocks=block) == ["unknown-argument"]


def test_what_follows_a_mistake_is_quiet() -> None:
    body = "let w = widht\nconv w\nresidual { conv w, bn }\nconcat { | conv w | relu }\nfc 10"
    assert codes("conv widht\nrelu\nflatten\nfc 3") == ["unknown-name"]
    assert len(diagnose(body)) <= 2


def test_independent_mistakes_are_all_told() -> None:
    assert codes("cnov 3\nconv 64 strid=2\nrelu 20") == [
        "unknown-layer", "unknown-argument", "too-many-arguments",
    ]  # fmt: skip


def test_words_of_blocks_that_nothing_calls_are_checked() -> None:
    assert codes("relu", blocks="block part { cnov 3 }") == ["unknown-layer"]


# ---- warnings --------------------------------------------------------------------------------


def test_unused_definitions_are_warned_of() -> None:
    blocks = "block idle { relu }\nblock part(width, other) { conv width }"
    found = diagnose("part 8 9\nstem: relu", blocks=blocks)
    assert [(d.code, d.severity) for d in found] == [
        ("unused-block", "warning"),
        ("unused-parameter", "warning"),
        ("unused-label", "warning"),
    ]


def test_allow_silences_a_warning_where_it_stands() -> None:
    twice = "conv 8, relu, relu"
    assert codes(twice) == ["double-activation"]
    assert codes(f'allow "double-activation"\n{twice}') == []
    assert codes(f'repeat 1 {{ allow "double-activation"\nconv 8 }}\n{twice}') == [
        "double-activation"
    ]
    assert codes(twice, blocks='allow "double-activation"') == []


def test_a_label_that_a_mistake_has_spoilt_is_quiet() -> None:
    assert codes("stem: cnov 8\nrelu\nadd stem\nfrom stem\nconv 8\nconcat stem") == [
        "unknown-layer"
    ]


def test_forms_are_arguments_too() -> None:
    """A block may be told how to bring its paths together."""
    block = "block pair(join) { join { | conv 4 | conv 4 } }"
    assert layers("pair concat", blocks=block).output.shape[0] == 8
    assert layers("pair add", blocks=block).output.shape[0] == 4
    block = "block around(form) { form { conv channels 3x3 same } }"
    assert layers("around residual", blocks=block).output.op.word == "add"
    assert layers("around dense", blocks=block).output.shape[0] == 6


def test_duplicate_parameters_are_refused() -> None:
    assert codes("part 3 4", blocks="block part(a, a) { conv a }") == ["duplicate-name"]


def test_a_code_that_no_warning_has_is_told() -> None:
    (found,) = diagnose('allow "wide-fx"\nconv 8, relu')
    assert (found.code, found.severity) == ("unknown-code", "warning")
    assert found.help == 'did you mean `"wide-fc"`?'


def test_let_may_hide_a_name_around_it() -> None:
    found = layers("let w = 4\nrepeat 2 { let w = 2*w\nconv w }")
    assert [item.shape[0] for item in found.nodes] == [3, 8, 8]
    assert codes("let w = w\nconv w") == ["unknown-name"]


def test_a_hidden_layer_is_pointed_out() -> None:
    (found,) = diagnose("head 0.5", blocks="block head(dropout) { dropout dropout }")
    assert "hides the layer `dropout`" in found.help
