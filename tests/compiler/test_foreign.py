"""What people write who come from Keras, torch, Caffe or Darknet: each word has its answer, and
every fix that is offered works."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.diagnose.foreign_words import meanings
from dotcnn.compiler.diagnose.trial import MAX_TRIALS, apply, tried
from dotcnn.compiler.language import foreign, translate
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.conv import Conv
from dotcnn.compiler.ops.pool import Max, Min
from dotcnn.compiler.report.rows import rows
from dotcnn.dsl.diagnostics import Diagnostic
from dotcnn.dsl.mistakes import TABLE
from dotcnn.dsl.source import Source
from foreign_corpus import Mistake, errors, mistakes, network, section


def the_error(text: str) -> Diagnostic:
    (found,) = errors(text)
    return found


def fixed(text: str) -> str:
    """The text with what its one mistake is told to write."""
    return apply(text, the_error(text).edits)


# ---- the corpus ------------------------------------------------------------------------------

CORPUS = mistakes()


def left(corpus: Sequence[Mistake]) -> tuple[int, int, list[str]]:
    """How many fixes are offered, after how many the spec is well, and what else is not right."""
    offered = clean = 0
    wrong = []
    for mistake in corpus:
        found = errors(mistake.spec)
        if not found:
            wrong.append(f"{mistake.line!r} is taken for right")
        wrong += [f"{mistake.line!r} has no help: {d.message}" for d in found if not d.help]
        for diagnostic in [d for d in found if d.edits]:
            offered += 1
            behind = errors(apply(mistake.spec, diagnostic.edits))
            clean += not behind
            if any((d.code, d.message) == (diagnostic.code, diagnostic.message) for d in behind):
                wrong.append(f"{mistake.line!r}: {diagnostic.help!r} changes nothing")
    return offered, clean, wrong


def test_there_are_many_and_of_every_tool() -> None:
    assert len(CORPUS) > 2000
    assert {"keras", "torch", "caffe", "darknet"} <= {mistake.tool for mistake in CORPUS}


@pytest.mark.slow
def test_every_fix_mends_its_mistake() -> None:
    """Whoever does what is said is never told the same again, and nearly always has a spec that
    is well."""
    offered, clean, wrong = left(CORPUS)
    assert wrong == []
    assert offered > 0.64 * len(CORPUS)  # the others have no equivalent
    assert clean >= 0.996 * offered


@pytest.mark.parametrize("snippet", [snippet for _, snippet, _ in TABLE])
def test_fixes_of_syntax_are_tried_too(snippet: str) -> None:
    """With any of them made, the mistake is gone."""
    for diagnostic in [d for d in errors(snippet) if d.edits]:
        behind = errors(apply(snippet, diagnostic.edits))
        told = (diagnostic.code, diagnostic.message)
        assert told not in [(d.code, d.message) for d in behind]


# ---- the table -------------------------------------------------------------------------------


def test_what_is_said_of_a_class_is_not_said_of_those_that_derive_from_it() -> None:
    for word, kind in REGISTRY.items():
        for name, instead in foreign.names_of(kind):
            assert instead.split(" ")[: len(word.split(" "))] == word.split(" "), name


def test_a_name_means_one_thing() -> None:
    seen: dict[str, str] = {}
    for kind in REGISTRY.values():
        for name, instead in foreign.names_of(kind):
            assert seen.setdefault(name, instead) == instead, name
    for name, meaning in foreign.known_layers().items():
        assert not (meaning.advice and name in seen), name


def test_names_of_arguments_are_for_arguments_that_there_are() -> None:
    fields = {name for kind in REGISTRY.values() for name in kind.fields}
    assert set(foreign.ARGUMENTS) <= fields
    assert {ours for ours, _ in foreign.PARTS.values()} <= fields


Call = tuple[str, list[object], dict[str, object]]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("MaxPooling2D", ("network", "pool max")),
        ("strides", ("argument", "stride")),
        ("batch_size", ("train", "batch")),
        ("RandomHorizontalFlip", ("augment", "flip horizontal")),
        ("kernel_initializer", ("argument", "")),
        ("LSTM", ("network", "")),
    ],
)
def test_one_look_up_for_all(word: str, expected: tuple[str, str]) -> None:
    found = meanings(word)
    assert expected in [(one.where, one.instead) for one in found]
    assert all(one.instead or one.advice for one in found)


def test_what_others_call_it() -> None:
    conv, least, most = ({name for name, _ in foreign.names_of(kind)} for kind in (Conv, Min, Max))
    assert {"Conv2D", "Conv2d", "Convolution", "convolutional"} <= conv
    assert not least & most


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (("Conv2D", [32, (3, 3)], {"activation": "relu"}), "conv 32 3x3, relu"),
        (("Conv2D", [32, 3], {"strides": 2, "padding": "same"}), "conv 32 3x3 stride=2 same_upper"),
        (("Conv2d", [3, 64], {"kernel_size": 3, "padding": 1}), "conv 64 3x3 pad=1"),
        (("MaxPool2d", [2, 2], {}), "pool max 2x2 stride=2"),
        (("MaxPooling2D", [], {"pool_size": (2, 2)}), "pool max 2x2"),
        (("AdaptiveAvgPool2d", [(1, 1)], {}), "pool avg global"),
        (("AdaptiveAvgPool2d", [7], {}), "pool avg adaptive=7"),
        (("Dense", [10], {"activation": "softmax"}), "fc 10, softmax"),
        (("Linear", [512, 10], {"bias": False}), "fc 10 bias=off"),
        (("Linear", [10], {}), "fc 10"),  # without the inputs, as LazyLinear takes it
        (("ReLU", [6.0], {}), "relu6"),
        (("BatchNormalization", [], {"momentum": 0.99}), "bn momentum=0.01"),
        (("ZeroPadding2D", [((3, 3), (3, 3))], {}), "pad 3"),
        (("Reshape", [(4, 4, 8)], {}), "reshape 8x4x4"),
        (("Dropout", [0.3], {}), "dropout 0.3"),
        (("conv3x3", [64, 128], {"stride": 2}), "conv 128 kernel=3x3 same stride=2"),
        (("Conv2D", [8, 3], {"name": "stem"}), "stem: conv 8 3x3"),
    ],
)
def test_a_layer_with_its_arguments(
    call: tuple[str, list[object], dict[str, object]], line: str
) -> None:
    name, positional, named = call
    made = translate.layer(
        name,
        [translate.value_of(value) for value in positional],
        {key: translate.value_of(value) for key, value in named.items()},
    )
    assert made is not None
    assert made.text == line
    assert made.left_out == []


# ---- one by one ------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["maxpool 2", "max_pool 2", "MaxPool2d 2", "MaxPooling2D 2"])
def test_maximum_pooling_is_not_minimum_pooling(word: str) -> None:
    assert the_error(network(word)).help == "write `pool max 2x2`"


@pytest.mark.parametrize("word", ["minpool", "min_pool", "MinPool2d"])
def test_minimum_pooling_is(word: str) -> None:
    assert "pool min" in the_error(network(f"{word} 2")).help


@pytest.mark.parametrize("line", ["dense 10", "Dense 10", "linear 10"])
def test_dense_is_a_fully_connected_layer(line: str) -> None:
    assert the_error(network(line, "linear")).help == "write `fc 10`"


def test_a_dense_block_keeps_its_name() -> None:
    assert "`dense {" in the_error(network("dense")).help


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("GlobalAveragePooling2D", "write `pool avg global, flatten`"),
        ("global_avg_pool", "write `pool avg global`"),
        ("conv 64 3x3 filters=32", "write `conv 64 3x3`"),
        ("conv 64 3x3 pad=same", "write `same`"),
        ("conv 64 3x3 padding=same", "write `same`"),
        ("conv 64 3x3 border_mode=same", "write `same`"),
        ("conv 64 3x3 valid", "take it out: without `same`, nothing is padded"),
        ("conv 64 3x3 s=2", "write `stride=2`"),
        ("conv 64 3x3 strides=2", "write `stride=2`"),
        ("conv 10 3x3 bias", "write `bias=on`, without spaces"),
        ("conv 64 5*5", "write `5x5`, or `25` if that is meant"),
        ("Activation relu", "write `relu`"),
        ("conv 64 3x3 activation=relu", "an activation is a statement of its own, after the"
         " layer: `, relu`"),
    ],
)  # fmt: skip
def test_what_is_said_in_a_network(line: str, help: str) -> None:
    found = the_error(network(line))
    assert found.help == help
    assert found.edits


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("conv 64 3x3 padding=causal", "write it before the layer, for a filter of 3: `pad left"),
        ("conv 64 3x3 kernel_regularizer=l2(0.01)", "weight decay is set at the optimizer"),
        ("Reshape((-1, 16))", "write `flatten`, or `reshape 3x32x32`"),
        ("old: identity", "give the name to the layer before it; what arrives in a block is"),
        ("Embedding(100, 16)", "there are no embeddings here: an input is an image, a series"),
    ],
)
def test_what_has_no_word_of_its_own(line: str, help: str) -> None:
    assert the_error(network(line)).help.startswith(help)


def test_an_argument_behind_a_body_that_is_wrong_there_too() -> None:
    found = the_error(network("residual { conv 3 3x3 same } shortcut=top"))
    assert found.help == "move it before the `{`"


def test_an_activation_moves_behind_its_layer() -> None:
    assert "conv 64 3x3 stride=2, relu" in fixed(network("conv 64 3x3 activation=relu stride=2"))


@pytest.mark.parametrize("word", ["identity", "lstm"])
def test_no_word_is_taken_for_one_that_only_looks_like_it(word: str) -> None:
    help = the_error(network(word)).help
    assert "did you mean" not in help
    assert help


@pytest.mark.parametrize(
    ("name", "line", "help"),
    [
        ("augment", "rotation_range=20", "write `rotate 20`"),
        ("augment", "rotate 20deg", "write `20`"),
        ("augment", "mirror", "in a spec it is written `flip horizontal`"),
        ("augment", "warp", "in a spec it is written `perspective`"),
        ("augment", "stretch", "write `scale 0.9..1.1`"),
        ("augment", "pca", "in a spec it is written `pca_color`"),
        ("train", "l2 5e-4", "write `optimizer sgd weight_decay=5e-4`"),
        ("train", "metrics accuracy", "in a spec it is called `top1`"),
        ("train", "shuffle on", "images are always shuffled before each epoch: take it out"),
        ("train", "Adam lr=0.001", "write `optimizer adam`"),
        ("train", "optimizer Adam(lr=0.001)", "write `optimizer adam lr=0.001`"),
        ("train", "schedule StepLR(step_size=30)", "write `schedule step every=30`"),
        ("train", "class_weight={0: 1, 1: 5}", "write `weights [1, 5]`"),
        ("train", "sample_weight w", "it belongs to the data, a column of the table"),
        ("train", "loss_weights [1, 2]", "give each output a loss with its weight"),
        ("train", "from_logits=True", "losses are computed from what the layers compute"),
        ("train", "metrics IoU", "in a spec it is called `miou`"),
        ("train", "metrics MeanAbsoluteError", "in a spec it is called `mae`"),
        ("train", 'metrics "accuracy"', "in a spec it is called `top1`"),
        ("train", "loss hinge", "there is no such loss: of numbers there are `mse`"),
        ("train", 'data csv "labels.csv"', 'write `data table "labels.csv"`'),
        ("train", 'data excel "labels.xlsx"', "save it as CSV"),
        ("train", 'data video "clips"', "frames of videos are arrays here"),
    ],
)
def test_what_is_said_in_a_section(name: str, line: str, help: str) -> None:
    assert the_error(section(name, line)).help.startswith(help[:-1])


def test_weight_decay_beside_an_optimizer_is_given_to_it() -> None:
    found = the_error(section("train", "optimizer adam\n  l2 5e-4"))
    assert found.help.startswith("give it to the optimizer")
    assert found.edits == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("28x28x1", "1x28x28"),
        ("32x40x3", "3x32x40"),
        ("(28,28,1)", "1x28x28"),
        ("[28, 28, 1]", "1x28x28"),
        ("28 28 1", "1x28x28"),
        ("(None, 224, 224, 3)", "3x224x224"),
    ],
)
def test_channels_that_come_last_are_asked_about(written: str, meant: str) -> None:
    text = network(f"input {written}", "input")
    assert "last?" in the_error(text).message
    assert f"input {meant}" in fixed(text)


@pytest.mark.parametrize("written", ["1x28x28", "3x32x3", "3x8x1", "(7 * 4, 28, 1)", "64x1x1"])
def test_other_inputs_are_not(written: str) -> None:
    assert [
        d for d in errors(f"network N {{\n  input {written}\n  conv 8\n}}") if d.code == "input"
    ] == []


def test_channels_that_are_named_come_first() -> None:
    """What the help says of an input of 28 channels."""
    assert errors("network N {\n  let bands = 28\n  input (bands, 28, 1)\n  conv 8\n}") == []


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("28,28,1", "1x28x28"),
        ("None,224,224,3", "3x224x224"),
        ("3, 224, 224", "3x224x224"),
        ("3 224 224", "3x224x224"),
        ("3x224", "3x224x224"),
    ],
)
def test_an_input_is_one_size(line: str, meant: str) -> None:
    assert fixed(network(f"input {line}", "input")) == network(f"input {meant}", "input")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("conv 64 kernel=3*3", "conv 64 kernel=3x3"),
        ("conv 64 size=3*3", "conv 64 kernel=3x3"),
        ("conv 64 3x3 stride=2*2", "conv 64 3x3 stride=2x2"),
        ("pool max size=2*2", "pool max kernel=2x2"),
        ("conv 3x3 64", "conv 64 3x3"),
        ("conv 64 3x3/2", "conv 64 3x3 stride=2"),
        ("deconv 64", "deconv 64 3x3"),
        ("separable_conv 32", "separable 32 3x3"),
        ("shuffle", "shuffle 2"),
        ("pool global", "pool avg global"),
        ("pool adaptive 2x2", "pool avg adaptive 2x2"),
        ("UpSample 2", "upsample 2"),
        ("interpolate 2", "upsample 2"),
        ("bilinear 2", "upsample 2 mode=bilinear"),
        ("dilated_conv 32 3", "conv 32 3x3 dilation=2"),
        ("conv 64 3x3 no_bias", "conv 64 3x3 bias=off"),
        ("conv 64 3x3 padding=reflect", "conv 64 3x3 same mode=reflect"),
        ("conv 64 3x3 name=conv1", "conv1: conv 64 3x3"),
        ("activation=gelu", "gelu"),
        ("maxpol 2", "pool max 2x2"),
    ],
)
def test_a_fix_keeps_what_is_given(line: str, meant: str) -> None:
    text = network(line)
    assert fixed(text) == network(meant)
    assert errors(fixed(text)) == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("noise 0.1", "directive of `augment"),
        ("fire 16 64", "concat {"),
        ("InvertedResidual", "block"),
        ("mbconv 32", "block"),
        ("se", "gate {"),
        ("Maximum", "`maximum a b`"),
        ("Subtract", "not available"),
        ("spectral_norm", "not normalized"),
        ("reorg", "`space_to_depth 2` for a stride of 2"),
        ("output 10", "fc 10"),
        ("while", "repeat 3"),
        ("conv 32 3x3 same_lower", "not available"),
        ("conv 32 3x3 border_mode=full", "`pad=2`"),
        ("bn scale=False", "`affine=off`"),
        ("width=64", "goes after its layer"),
        ("torch.cat", "`concat a b`"),
    ],
)
def test_a_word_of_another_meaning_is_not_replaced(line: str, part: str) -> None:
    found = the_error(network(line))
    assert part in found.help
    assert found.edits == ()


@pytest.mark.parametrize(
    "word",
    """MultiheadAttention MHSA scaled_dot_product_attention MultiQueryAttention2d NonLocal HaloAttn
    BottleneckAttn XCA MDTA bmm DeformConv2d ModulatedDeformConv2d Involution reorg""".split(),
)
def test_what_stands_for_a_layer_with_a_body_or_projections_is_a_spec(word: str) -> None:
    """Advice where a single word would not be well: each line of a spec in it is."""
    found = the_error(network(word))
    assert found.edits == ()
    for written in re.findall("`([^`]+)`", found.help):
        named = re.findall("from ([a-z])", written)
        before = "".join(f"{label}: conv 16 1x1\n  " for label in named)
        if named:  # maps of 4x4, whose 16 places are as many as there are channels
            before = f"conv 16 8x8 stride=8\n  {before}"
        assert errors(network(before + written)) == [], written


def test_dense_with_a_number_in_parentheses_is_a_fully_connected_layer() -> None:
    assert fixed(network("dense(10)", "linear")) == network("fc 10", "linear")


def test_a_filter_has_the_size_of_its_rows() -> None:
    """A filter that has one size refuses another; a number after it is never its stride."""
    found = the_error(network("filter laplacian 5x5"))
    assert found.message.startswith("`laplacian` is 3x3")
    assert errors(network("filter blur stride=2 same")) == []
    assert errors(network("filter blur 5x5 same")) == []


def test_a_filter_without_a_stride_is_shown_without_one() -> None:
    text = network("filter [[0, 1], [1, 0]]\n  filter blur stride=2")
    shown = rows(analyse(elaborate(load(Source("net.cnn", text)))))
    assert [row.layer for row in shown if "filter" in row.layer] == [
        "filter ((0, 1), (1, 0))",
        "filter blur stride=2",
    ]


# ---- trials ----------------------------------------------------------------------------------


def test_fixes_of_one_statement_become_one() -> None:
    text = network("Conv2D 32 3x3 strides=2 activation=relu")
    assert the_error(text).help == "write `conv 32 3x3 stride=2, relu`"


def test_a_fix_that_does_not_hold_is_not_offered() -> None:
    found = the_error(network("dropout 0.5..0.1"))
    assert found.edits == ()
    assert "0.1..0.5" not in found.help


def test_a_slip_of_the_keyboard_does_not_hide_the_other_mistakes() -> None:
    text = network("conv 8 3. # seven\n  maxpool 2x2\n  conv 8 strides=2")
    assert [d.code for d in errors(text)] == ["bad-number", "unknown-layer", "unknown-argument"]
    places = [d.span.text for d in errors(text) if d.span is not None]
    assert places == ["3.", "maxpool", "strides"]
    mended = text
    for diagnostic in reversed(errors(text)):
        mended = apply(mended, diagnostic.edits)
    assert errors(mended) == []


def test_let_in_an_if_without_a_body() -> None:
    text = network("if classes > 3\n    let x = 5\n  conv 8")
    for diagnostic in errors(text):
        if diagnostic.edits:
            assert errors(apply(text, diagnostic.edits)) == []


@pytest.mark.parametrize("count", [1, 3, 20, 49])
def test_trials_are_few_however_many_mistakes_there_are(count: int) -> None:
    text = network("\n  ".join(["maxpool 1"] * count))
    source = Source("net.cnn", text)
    from dotcnn.compiler.diagnose.check import mistakes as untried

    found = untried(load(source))
    assert len(found) == count
    trials = []

    def diagnose(changed: str) -> list[Diagnostic]:
        trials.append(changed)
        return untried(load(Source("net.cnn", changed)))

    tried(source, found, diagnose)
    assert len(trials) <= MAX_TRIALS
    assert [d.help for d in errors(text)] == [
        "in a spec it is written `pool max`"
    ] * count or count < 5


def test_a_text_too_long_to_be_tried_gets_no_fixes() -> None:
    text = network("conv 8 3.") + "# " + "x" * 60_000
    assert [(d.code, d.edits) for d in errors(text)] == [("bad-number", ())]


@pytest.mark.parametrize(
    "rows",
    [
        "(1 0 -1; 2 0 -2)",
        "[1 0 -1; 2 0 -2] same",
        "1 0 -1; 2 0 -2",
        "1 0 -1 / 2 0 -2",
        "[[1 0 -1], [2 0 -2]] pad=1",
        "{{1, 0, -1}, {2, 0, -2}}",
        "(1 0 -1\n 2 0 -2)",
        "[1. +0 -1; 2 .0 -2]",
    ],
)
def test_rows_of_a_filter_as_matlab_writes_them(rows: str) -> None:
    text = f"network N {{\n input 3x9x9\n filter {rows}\n conv 4 3x3\n}}"
    spec = fixed(text)
    filter = elaborate(load(Source("n.cnn", spec))).nodes[1].op
    assert filter.arguments["values"] == ((1, 0, -1), (2, 0, -2))
    assert errors(spec) == []


def test_words_of_images_come_before_those_of_series() -> None:
    first, second = meanings("jitter")
    assert "color brightness" in first.advice
    assert second.instead == "noise"
    assert [each.instead for each in meanings("TimeReverse")] == ["flip time"]


def test_a_module_path_is_its_last_part() -> None:
    assert [each.instead for each in meanings("torch.nn.Mish")] == ["mish"]
