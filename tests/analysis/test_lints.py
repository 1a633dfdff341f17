"""Each warning where it belongs, and silence where it does not."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis.lints import RULES, lint
from dotcnn.dsl.diagnostics import Diagnostic
from networks import gallery, layers, network

SEES_ALL = "repeat 5 { conv 8 3x3 same, relu, pool max 2x2 }, conv 8 3x3 same"
"""Of 32x32, a 1x1 map that has seen everything."""


def warnings(body: str, input: str = "3x32x32", blocks: str = "") -> list[Diagnostic]:
    return lint(layers(body, input, blocks))


def codes(body: str, input: str = "3x32x32", blocks: str = "") -> list[str]:
    return [warning.code for warning in warnings(body, input, blocks)]


def the(code: str, body: str, input: str = "3x32x32", blocks: str = "") -> Diagnostic:
    found = [warning for warning in warnings(body, input, blocks) if warning.code == code]
    assert len(found) == 1, f"{code}: {[warning.code for warning in found]}"
    return found[0]


# ---- small-field --------------------------------------------------------------------------------


def test_the_last_layers_see_a_small_part_of_the_image() -> None:
    body = "conv 8 3x3 same, relu, conv 8 3x3 same, relu, pool avg global, flatten, fc 10"
    warning = the("small-field", body)
    assert "5x5 of 32x32" in warning.message
    assert warning.span is not None
    assert warning.span.text == "pool avg global"


@pytest.mark.parametrize("input", ["3x32x32", "3x64x64", "3x224x224", "3x96x320"])
@pytest.mark.parametrize("layer", ["conv 64 3x3 same, relu", "conv 8 5x5 stride=2 same, bn, relu"])
def test_the_way_out_downsamples(layer: str, input: str) -> None:
    body = layer + "{more}, pool avg global, flatten, fc 10"
    warning = the("small-field", body.format(more=""), input)
    assert warning.help.startswith("downsample: ")
    written = warning.help.split("`")[1]
    count = int(written.split(" ")[1])
    assert count <= 7
    assert codes(body.format(more=f", {written}"), input) == []
    fewer = written.replace(f"repeat {count}", f"repeat {count - 1}")
    assert codes(body.format(more=f", {fewer}"), input) == ["small-field"]


def test_few_missing_layers_are_named() -> None:
    body = (
        "repeat 2 {{ conv 8 3x3 same, relu, pool max 2x2 }}{more}, pool avg global, flatten, fc 9"
    )
    assert codes(body.format(more=""), "3x32x32") == ["small-field"]
    warning = the("small-field", body.format(more=""))
    assert "put `conv 8 3x3 same, relu` before it" in warning.help
    assert codes(body.format(more=", conv 8 3x3 same, relu")) == []


def test_a_small_resnet_is_not_warned_about() -> None:
    body = """
        conv 16 3x3 same, bn, relu
        for width in [16, 32, 64] as i {
          repeat 2 as j {
            residual {
              conv width 3x3 stride=(2 if i > 0 and j == 0 else 1) same, bn, relu
              conv width 3x3 same, bn
            }
            relu
          }
        }
        pool avg global, flatten, fc 10"""
    assert codes(body, "3x64x64") == []


def test_half_of_the_image_is_enough() -> None:
    assert codes("conv 8 3x3 same, relu, flatten, fc 10") == ["small-field"]
    lenet = """
        conv 6 5x5, relu, pool max 2x2
        conv 16 5x5, relu, pool max 2x2
        flatten, fc 120, relu, fc 84, relu, fc 10"""
    assert codes(lenet, input="1x32x32") == []


@pytest.mark.parametrize(
    "body",
    [
        "flatten, fc 100, relu, fc 10",  # on the pixels themselves
        "conv 8 3x3 same, relu",  # no head
        "conv 8 3x3 same, gate { pool avg global, conv channels, sigmoid }, pool avg global",
    ],
)
def test_where_nothing_is_missing(body: str) -> None:
    assert codes(body) == []


# ---- double-activation --------------------------------------------------------------------------


def test_an_activation_after_an_activation() -> None:
    warning = the("double-activation", "conv 8 3x3, relu, relu, conv 4 3x3")
    assert warning.message == "`relu` comes directly after another"
    warning = the("double-activation", "conv 8 3x3, relu, sigmoid, conv 4 3x3")
    assert warning.message == "`sigmoid` comes directly after `relu`"
    assert [label.span.text for label in warning.labels] == ["relu"]
    assert codes("conv 8 3x3, relu, conv 4 3x3, relu, bn, relu, pool max 2x2, relu") == []


def test_the_relu_before_a_block_that_begins_with_one() -> None:
    block = "block unit { residual { relu, conv channels 3x3 same } }"
    assert codes("conv 8, relu, unit", blocks=block) == ["double-activation"]
    assert codes("conv 8, unit, unit", blocks=block) == []


# ---- bias-before-norm ---------------------------------------------------------------------------


def test_a_bias_before_a_batch_norm() -> None:
    warning = the("bias-before-norm", "conv 8 3x3 bias=on, bn, relu")
    assert warning.help == "write `conv 8 3x3 bias=off`"
    assert "8 parameters" in warning.notes[0]
    assert warning.edits[0].text == "conv 8 3x3 bias=off"


def test_a_norm_that_subtracts_no_mean_keeps_the_bias() -> None:
    assert codes("conv 8 3x3 bias=on, evonorm_b0") == []


def test_without_the_word_bias_there_is_none_there() -> None:
    assert codes("conv 8 3x3, bn, relu") == []


def test_a_fully_connected_layer_has_one_unless_it_is_told() -> None:
    for written, mended in (("fc 8 bias=on", "fc 8 bias=off"), ("a: fc 8 bias=on", None)):
        found = warnings(f"flatten, {written}, bn, relu")
        for warning in found:
            assert warning.code == "bias-before-norm"
            assert mended is None or warning.help == f"write `{mended}`"


def test_a_bias_that_has_an_effect() -> None:
    assert codes("conv 8 3x3 bias=on, ln, relu") == []  # the mean is that of all channels
    assert codes("conv 8 3x3 bias=on, gn 2, relu") == []
    assert codes("conv 8 3x3 bias=on, residual { bn, relu }, relu") == []  # the sum reads it, too
    assert codes("conv 8 3x3 bias=on, lrn 5") == []


# ---- pool-of-one --------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["pool avg global", "pool max 3x3 same stride=1"])
def test_a_pool_of_one_number(pool: str) -> None:
    warning = the("pool-of-one", f"{SEES_ALL}, {pool}, flatten, fc 2")
    assert "1x1" in warning.message
    assert codes(f"{SEES_ALL.replace('5', '4')}, {pool}, flatten, fc 2") == []


# ---- skipped-pixels -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "unread", "mended"),
    [
        ("conv 8 1x1 stride=2", "16 of 32 rows", "conv 8 2x2 stride=2"),
        ("conv 8 2x2 stride=5", "18 of 32 rows", "conv 8 5x5 stride=5"),
        ("pool max 1x1 stride=2", "16 of 32 rows", "pool max 2x2 stride=2"),
        ("conv 8 (3, 1) stride=(1, 2)", "16 of 32 columns", ""),
    ],
)
def test_a_stride_beyond_the_filter(layer: str, unread: str, mended: str) -> None:
    warning = the("skipped-pixels", f"conv 4 3x3 same, {layer}")
    assert unread in warning.message
    assert mended in warning.help
    assert not mended or "skipped-pixels" not in codes(f"conv 4 3x3 same, {mended}")


@pytest.mark.parametrize(
    "form",
    [
        "residual { conv 8 3x3 stride=2 same, bn, relu, conv 8 3x3 same, bn }",  # the usual one
        "residual shortcut=pad { conv 8 3x3 stride=2 same, bn }",
        "residual { conv 4, relu, conv 8 3x3 stride=2 same }",
        "inception {\n| conv 4 1x1 stride=2\n| pool max 2x2\n}",
        "inception {\n| conv 4 1x2 stride=2\n| pad 0x0x0x0, conv 4 3x3 stride=2 same\n}",
    ],
)
def test_a_shortcut_beside_somebody_who_reads_the_rest(form: str) -> None:
    form = form.replace("pad 0x0x0x0, ", "")
    assert "skipped-pixels" not in codes(f"conv 4 3x3 same, {form}")


def test_two_that_skip_the_same_pixels() -> None:
    """The first ResNets: both the body and the shortcut begin with a 1x1 filter of stride 2."""
    body = "conv 4 3x3 same, residual { conv 4 1x1 stride=2, bn, relu, conv 8 3x3 same, bn }"
    assert codes(body) == ["skipped-pixels"]


def test_skipping_what_somebody_else_does_not() -> None:
    body = "conv 4 3x3 same, add {{\n| conv 4 1x1 stride=2\n| {other}\n}}"
    assert codes(body.format(other="conv 4 1x1 stride=2")) == ["skipped-pixels"]
    assert codes(body.format(other="conv 4 2x2 stride=2")) == []


def test_sizes_beyond_reason_take_no_time() -> None:
    side = 10**12
    assert codes("conv 4 3x3 stride=1000000", input=f"3x{side}x{side}") == ["skipped-pixels"]
    assert codes(f"pool max {10**6}x{10**6}", input=f"3x{side + 1}x{side}") == ["dropped-remainder"]


# ---- dropped-remainder --------------------------------------------------------------------------


def test_rows_that_no_window_reaches() -> None:
    warning = the("dropped-remainder", "conv 4 3x3 same, pool max 2x2", input="1x7x8")
    assert warning.message.startswith("the last row of 7 is never read")
    assert "`pool max 2x2 ceil`" in warning.help
    assert codes("conv 4 3x3 same, pool max 2x2 ceil", input="1x7x8") == []
    warning = the("dropped-remainder", "conv 4 5x5 stride=4", input="1x9x11")
    assert warning.message.startswith("the last 2 columns of 11 are never read")
    assert "`conv 4 5x5 stride=4 same`" in warning.help
    assert codes("conv 4 5x5 stride=4 same", input="1x9x11") == []


def test_padding_may_be_dropped() -> None:
    """224 + 2*3 - 7 is odd: half a step of padding is left over."""
    assert codes("conv 4 7x7 stride=2 pad=3", input="3x224x224") == []
    assert codes("conv 4 7x7 stride=2", input="3x224x224") == ["dropped-remainder"]


def test_what_somebody_else_reads_is_not_dropped() -> None:
    body = "conv 4 3x3 same, inception {\n| pool max 3x3 stride=2\n| conv 4 4x4 stride=2\n}"
    assert codes(body, input="1x8x8") == []
    padded = "{before}conv 4 3x3 stride=2, upsample 3"
    inside, beside = padded.format(before="relu, "), padded.format(before="")
    assert codes(f"conv 4, residual {{ {inside} }}", input="1x6x6") == ["dropped-remainder"]
    assert codes(f"conv 4, residual {{ {beside} }}", input="1x6x6") == []


def test_what_is_cut_out_on_purpose() -> None:
    assert codes("conv 4 3x3 same, crop 5x5") == []
    assert codes("conv 4 3x3 same, pool avg adaptive 5x5") == []
    assert codes("conv 4 3x3 same, upsample 2, conv 4 2x2 stride=2") == []


# ---- dropout ------------------------------------------------------------------------------------


def test_dropout_after_the_last_layer() -> None:
    warning = the("dropout-last", f"{SEES_ALL}, flatten, fc 10, dropout 0.5")
    assert warning.span is not None
    assert warning.span.text == "dropout 0.5"
    assert codes(f"{SEES_ALL}, flatten, fc 10, dropout 0.5, softmax") == ["dropout-last"]
    assert codes(f"{SEES_ALL}, flatten, dropout 0.5, fc 10, softmax") == []


def test_dropout_at_the_end_of_a_head() -> None:
    head = "aux { pool avg global, flatten, fc 10, dropout 0.5 }"
    assert codes(f"conv 8 3x3 same, {head}, {SEES_ALL}, flatten, fc 10") == ["dropout-last"]


def test_a_skipped_branch_is_no_dropout_of_the_result() -> None:
    assert codes(f"{SEES_ALL}, residual {{ conv 8, droppath 0.1 }}") == []


def test_dropout_before_a_batch_norm() -> None:
    warning = the("dropout-before-norm", f"{SEES_ALL}, dropout 0.3, bn, relu")
    assert "`bn, dropout 0.3`" in warning.help
    assert codes(f"{SEES_ALL}, bn, dropout 0.3, relu, conv 4") == []
    assert codes(f"{SEES_ALL}, dropout 0.3, ln, relu") == []  # it has no running statistics


# ---- wide-fc ------------------------------------------------------------------------------------


def test_a_very_large_fully_connected_layer() -> None:
    body = "repeat 2 { conv 64 5x5 same, relu, pool max 2x2 }, flatten, fc 1024, relu, fc 10"
    warning = the("wide-fc", body)
    assert "4,194,304 weights, 97 %" in warning.message
    assert "64x8x8 = 4,096" in warning.notes[0]
    assert "65,536, 4,128,768 fewer" in warning.notes[0]
    assert codes(body.replace("fc 10", "fc 4096, relu, fc 10")).count("wide-fc") == 1
    assert "wide-fc" not in codes(body.replace("flatten", "pool avg global, flatten"))
    assert "wide-fc" not in codes(body.replace("1024", "128"))


# ---- vanishing-gradients ------------------------------------------------------------------------

VANISHING = "vanishing-gradients"


def stack(layers: int, activation: str, more: str = "") -> str:
    return f"repeat {layers} {{ conv 8 3x3 same, {more} {activation} }}, {HEAD}"


HEAD = "pool avg global, flatten, fc 10"


def vanish(body: str, blocks: str = "") -> bool:
    return VANISHING in codes(body, blocks=blocks)


def test_sixty_sigmoids() -> None:
    """The gradient is divided by 4.5 in each layer."""
    warning = the(VANISHING, stack(60, "sigmoid"))
    assert warning.message.startswith("61 layers follow one another with neither norm nor shortcut")
    assert "about 1e-39 of the gradient" in warning.message
    assert warning.span is not None
    assert warning.span.text == "conv 8 3x3 same"
    assert [label.span.text for label in warning.labels] == ["fc 10"]
    assert "`sigmoid`" in warning.notes[0]
    assert "--gradients`" in warning.help


@pytest.mark.parametrize(
    ("activation", "fine", "too_many"),
    [
        ("sigmoid", 9, 10),
        ("hardsigmoid", 7, 8),
        ("silu", 37, 38),
        ("relu", 48, 49),
        ("tanh", 48, 49),
        ("gelu", 15, 16),
    ],
)
def test_from_how_many_layers_on(activation: str, fine: int, too_many: int) -> None:
    """The last layer is one of the stack."""
    assert not vanish(stack(fine, activation))
    assert vanish(stack(too_many, activation))


@pytest.mark.parametrize("norm", ["bn,", "gn 2,", "ln,"])
def test_norms_let_gradients_through(norm: str) -> None:
    assert not vanish(stack(60, "sigmoid", norm))


@pytest.mark.parametrize(
    "body",
    [
        f"conv 8, repeat 60 {{ residual {{ conv 8 3x3 same, sigmoid }} }}, {HEAD}",
        f"conv 8, repeat 60 {{ dense {{ conv 2 3x3 same, sigmoid }} }}, {HEAD}",
        # Projections are short.
        f"repeat 4 as i {{ residual {{ conv 4*(i+1), relu, conv 4*(i+1), relu, conv 4*(i+1), relu, "
        f"conv 4*(i+1), relu, conv 4*(i+1), relu, conv 4*(i+1), relu }} }}, {HEAD}",
        # What scales a map is beside the way.
        f"repeat 20 {{ conv 8, relu, gate {{ conv 2, sigmoid, conv 8, sigmoid }} }}, {HEAD}",
        # Gradients come from an auxiliary head in the middle.
        f"repeat 30 {{ conv 8, relu }}, aux {{ {HEAD} }}, repeat 30 {{ conv 8, relu }}, {HEAD}",
        # A sigmoid after the last layer is part of the loss.
        "repeat 9 { conv 8, sigmoid }, pool avg global, flatten, fc 10, sigmoid",
        # Initial weights of a spec's own may make up for it.
        f"init xavier gain=4, {stack(20, 'sigmoid')}",
        "flatten",
    ],
)
def test_ways_around(body: str) -> None:
    assert not vanish(body)


def test_norms_far_apart() -> None:
    """The stack is between them."""
    body = f"conv 8, bn, relu, {stack(20, 'sigmoid').replace(HEAD, 'bn')}, conv 8, bn, {HEAD}"
    warning = the(VANISHING, body)
    assert warning.message.startswith("20 layers follow one another")


def test_a_stack_after_a_shortcut() -> None:
    body = f"conv 8, residual {{ conv 8, relu }}, {stack(12, 'sigmoid')}"
    warning = the(VANISHING, body)
    assert warning.message.startswith("14 layers")  # with the first one


def test_weights_from_elsewhere_are_not_those_of_the_start() -> None:
    text = f'network N {{ input 3x32x32, {stack(60, "relu")} }}\ntransfer {{ from "w.npz" }}'
    assert VANISHING not in [warning.code for warning in lint(network(text))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alexnet/alexnet", {"wide-fc"}),
        ("vgg/vgg16", {"wide-fc"}),
        ("vgg/vgg16_bn", {"wide-fc", "bias-before-norm"}),
        ("resnet/resnet18", set()),
        ("resnet/resnet50", set()),
        ("densenet/densenet121", set()),
        ("mobilenet/mobilenet_v2", set()),
        ("googlenet/googlenet", set()),
    ],
)
def test_what_everybody_knows(name: str, expected: set[str]) -> None:
    assert {warning.code for warning in lint(gallery(name))} == expected


def test_the_momentum_of_keras_means_the_opposite_here() -> None:
    warning = the("turned-momentum", "conv 8, bn eps=0.001 momentum=0.99, relu")
    assert "99 % of the running averages" in warning.message
    assert warning.help == "write `bn eps=0.001 momentum=0.01`"
    assert warning.edits[0].text == "bn eps=0.001 momentum=0.01"
    block = "block norm(keep) { bn momentum=keep }"
    assert the("turned-momentum", "conv 8, norm 0.9, relu", blocks=block).help == (
        "write `momentum=0.1`"
    )


@pytest.mark.parametrize("momentum", ["0.01", "0.1", "0.3", "1"])
def test_a_momentum_that_is_meant(momentum: str) -> None:
    assert "turned-momentum" not in codes(f"conv 8, bn momentum={momentum}, relu")


@pytest.mark.parametrize(
    "layer", ["conv width 3x3 same", "s: conv 2*width 3x3", "conv width//4", "deconv height 2x2"]
)
def test_a_number_of_filters_that_is_the_size_of_the_map(layer: str) -> None:
    name = "height" if "height" in layer else "width"
    warning = the("fixed-size", f"{layer}, relu", "3x64x64")
    assert warning.notes[0].startswith(f"no parameter is called `{name}`: it is the {name} of")
    assert f"`network Net({name}=64) {{ … }}`" in warning.help


def test_the_size_of_the_map_where_a_size_belongs() -> None:
    assert the("fixed-size", "pool avg height").notes == ("`height` is 32 at this size",)


# ---- all of them --------------------------------------------------------------------------------


def test_a_statement_is_warned_about_once() -> None:
    warning = the("bias-before-norm", "repeat 16 { conv 8 3x3 same bias=on, bn, relu }")
    assert warning.notes[-1] == "the same is true of 15 more layers from this statement"
    warning = the("bias-before-norm", "repeat 2 { conv 8 3x3 same bias=on, bn, relu }")
    assert warning.notes[-1] == "the same is true of 1 more layer from this statement"


EXAMPLES = {
    "small-field": "conv 8 3x3 same, pool avg global",
    "skipped-pixels": "conv 8 1x1 stride=2",
    "dropped-remainder": "conv 8 3x3 stride=2",
    "pool-of-one": f"{SEES_ALL}, pool avg global",
    "double-activation": "conv 8, relu, relu",
    "bias-before-norm": "conv 8 bias=on, bn",
    "dropout-last": "conv 8, dropout 0.5",
    "dropout-before-norm": "conv 8, dropout 0.5, bn, relu",
    "wide-fc": "conv 64 17x17 same, flatten, fc 1024",
    "argument-order": "conv 3 8 5",
    "turned-momentum": "conv 8, bn momentum=0.99",
    "vanishing-gradients": "repeat 60 { conv 8 3x3 same, sigmoid }",
    "fixed-size": "pool avg height",
}


def test_there_is_an_example_of_each() -> None:
    assert EXAMPLES.keys() == RULES.keys()


@pytest.mark.parametrize(("code", "body"), EXAMPLES.items())
def test_the_form_of_a_warning(code: str, body: str) -> None:
    warning = the(code, body)
    assert warning.severity == "warning"
    assert warning.span is not None
    assert not warning.message.endswith(".")
    assert warning.help
    assert any(character.isdigit() for text in warning.notes for character in text) or code in (
        "small-field",
        "skipped-pixels",
        "dropout-before-norm",
        "argument-order",
    ), "figures"
