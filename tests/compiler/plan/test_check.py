"""`cnn check`: everything that is wrong with sections, at once, beside what else is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dotcnn import __version__
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.plan import PlanError, TrainPlan, plan
from dotcnn.compiler.plan.check import wrong_classes
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from networks import network, program

NET = "network Net {\n input 1x8x8\n flatten\n fc classes\n}\n"


def found(text: str) -> list[Diagnostic]:
    return check(load_program(Source("net.cnn", text)))


def codes(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in found(text)]


def test_a_layer_in_a_section_is_one_of_the_network() -> None:
    """And not what other tools call a directive of another section."""
    (diagnostic,) = found(f"{NET}train {{\n dropout 0.5\n}}\n")
    assert diagnostic.help == "`dropout` is part of a network: write it into `network Name { … }`"


def test_none_is_off() -> None:
    text = f'{NET}train {{\n clip none\n ema none\n}}\ntransfer {{\n from "a"\n freeze none\n}}\n'
    assert codes(text) == []
    made = plan(network(text), needs_data=False)
    assert made.train.clip is None
    assert made.transfer is not None
    assert made.transfer.freeze is None


def test_a_pretrained_network_is_not_told_to_grow() -> None:
    """Layers that its weights are not for would begin at random."""
    text = "network Net { input 3x64x64, conv 4 3x3 same, relu, pool avg global, flatten, fc 5 }\n"
    assert codes(text) == ["small-field"]
    assert codes(f'{text}transfer {{ from "runs/a" }}\n') == []


def test_all_mistakes_at_once_in_the_order_written() -> None:
    text = f"{NET}train {{\n epoch 3\n batch 0\n}}\naugment {{\n rotat 3\n hue 3\n}}\n"
    assert codes(text) == [
        "unknown-directive",
        "argument",
        "unknown-directive",
        "unknown-directive",
    ]


def test_also_where_the_network_has_mistakes() -> None:
    """What depends on the network is then left unsaid."""
    text = NET.replace("flatten", "flaten") + "train { epoch 3 }\naugment { grayscale }\n"
    assert codes(text) == ["unknown-layer", "unknown-directive"]
    text = NET.replace("flatten", "flaten") + 'transfer { from "a", freeze until nowhere }\n'
    assert codes(text) == ["unknown-layer"]


def test_a_spoilt_directive_has_no_consequences() -> None:
    """That `from` cannot be read does not make it missing."""
    assert codes(f"{NET}transfer {{\n from 3\n l2 0.1\n}}\n") == ["argument"]


def test_names_that_mean_nothing_are_told_once() -> None:
    text = f"let rate = 1/0\n{NET}train {{ optimizer sgd lr=rate }}\n"
    assert codes(text) == ["division"]


def test_classes_are_what_the_data_has() -> None:
    """`fc classes` fits any data; a number has to be the right one."""
    assert codes(f"{NET}train {{ data cifar100 }}\n") == []
    assert codes(f"{NET}train {{ data emnist part=letters }}\n") == []
    (wrong,) = found(NET.replace("classes", "10") + "train { data cifar100 }\n")
    assert wrong.code == "classes"
    assert wrong.span is not None
    assert wrong.span.text == "fc 10"
    assert [label.span.text for label in wrong.labels] == ["data cifar100"]


def test_a_parameter_of_the_network_that_counts_its_outputs_gets_the_classes() -> None:
    """Its default, so that it is still read."""
    spec = network("network Net(width=10, outputs=10) {\n input 1x8x8\n flatten\n fc outputs\n}\n")
    diagnostic = wrong_classes(plan(spec, needs_data=False).train.data, spec, 7)
    assert diagnostic is not None
    (edit,) = diagnostic.edits
    text = edit.span.source.text
    edited = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert "(width=10, outputs=classes)" in edited


def test_who_counts_the_classes_can_say_so_with_both_places() -> None:
    spec = network(NET + 'train { data folder "flowers" }\n')
    diagnostic = wrong_classes(plan(spec).train.data, spec, 7, "flowers", "abcdefg")
    assert diagnostic is not None
    assert diagnostic.message == "flowers has 7 classes, and the network ends in 10"
    assert [label.span.text for label in diagnostic.labels] == ['"flowers"']
    assert "`a`, `b`" in diagnostic.notes[0]
    unsaid = wrong_classes(plan(network(NET)).train.data, spec, 7)
    assert unsaid is not None
    assert (unsaid.labels, unsaid.notes) == ((), ())
    assert wrong_classes(plan(spec).train.data, spec, 10) is None


def test_the_head_is_mended_where_its_size_is_written() -> None:
    """Auxiliary heads, too; not where the number is worked out elsewhere."""
    text = """network Net {
      input 1x8x8
      aux { flatten, fc 10 }
      flatten, out: fc 10, softmax
    }
    train { data cifar100 }"""
    (wrong,) = [d for d in found(text) if d.code == "classes"]
    assert [edit.span.text for edit in wrong.edits] == ["10", "10"]
    mended = text
    for edit in sorted(wrong.edits, key=lambda edit: -edit.span.start):
        mended = mended[: edit.span.start] + edit.text + mended[edit.span.end :]
    assert "out: fc classes" in mended
    assert codes(mended) == []
    text = NET.replace("classes", "2*5") + "train { data cifar100 }"
    (wrong,) = found(text)
    assert wrong.edits == ()
    aux = text.replace("flatten\n", "aux { flatten, fc 3 }, flatten\n").replace("2*5", "classes")
    (wrong,) = found(aux)
    assert wrong.message == "the data has 100 classes, and an auxiliary head ends in 3"


BLOCKS = """
block end(width, outputs=10) { flatten, fc width, relu, fc outputs }
block inner(outputs) { end 8 outputs }
"""


@pytest.mark.parametrize(
    ("call", "mended"),
    [
        ("end 8", "end 8 outputs=classes"),
        ("end 8 outputs=10", "end 8 outputs=classes"),
        ("end 8 10", "end 8 classes"),
        ("inner 10", "inner classes"),
    ],
)
def test_the_head_is_mended_where_a_block_is_called(call: str, mended: str) -> None:
    """With the number that the block takes, given or not; the gallery has such blocks."""
    text = f"{BLOCKS}network Net {{ input 1x8x8, {call} }}\ntrain {{ data cifar100 }}"
    (wrong,) = [one for one in found(text) if one.code == "classes"]
    assert wrong.span is not None
    assert wrong.span.text == call
    (edit,) = wrong.edits
    changed = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert changed == text.replace(f", {call} }}", f", {mended} }}")
    assert "classes" not in codes(changed)


def test_the_head_is_not_mended_where_the_number_is_worked_out() -> None:
    blocks = "block end(width) { flatten, fc width//2 }\n"
    text = f"{blocks}network Net {{ input 1x8x8, end 20 }}\ntrain {{ data cifar100 }}"
    (wrong,) = found(text)
    assert wrong.edits == ()


def test_a_warning_can_be_silenced() -> None:
    text = f"{NET}train {{ epochs 3, schedule cosine warmup=5 }}\n"
    assert codes(text) == ["unreached"]
    assert codes(f'allow "unreached"\n{text}') == []


def test_specs_of_blocks_alone_may_have_sections() -> None:
    assert codes("train { epochs 3 }\nblock a { conv 3 }\n") == []
    assert codes("train { epoch 3 }\nblock a { conv 3 }\n") == ["unknown-directive"]


def test_many_mistakes_come_to_an_end() -> None:
    text = NET + "augment {\n" + "nonsense 3\n" * 1000 + "}\n"
    assert len(found(text)) <= 100


def test_plan_says_the_same() -> None:
    with pytest.raises(SpecError) as caught:
        plan(network(f"{NET}train {{ epoch 3, batch 0 }}\naugment {{ pca_color }}"))
    assert [d.code for d in caught.value.diagnostics] == [
        "unknown-directive", "argument", "unfit-input",
    ]  # fmt: skip


# ---- plan.json -------------------------------------------------------------------------------


def changed(**changes: object) -> str:
    data = json.loads(plan(network(NET)).to_json())
    return json.dumps({**data, **changes})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", '{"format": 1}', "null", changed(format=2), changed(train=3),
     changed(input=[0]), changed(input="a"), changed(augment=[{"is": "conv"}]),
     changed(augment=[{"is": "flip"}]), changed(augment=[{"is": "flip", "axis": "up"}]),
     changed(augment=[{"is": "flip", "axis": "both", "p": 2}]), changed(augment=3),
     changed(augment=[{"is": "shift"}]), changed(evaluate={"crop": {"is": "crop", "side": {}}}),
     changed(augment=["flip"]), changed(transfer={"from": None}), changed(evaluate=None)],
)  # fmt: skip
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        TrainPlan.from_json(text)


def without(data: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return data


@pytest.mark.parametrize(
    "path",
    [("train", "ema"), ("train", "precision"), ("train", "optimizer"), ("evaluate", "resize"),
     ("train", "precision", "tf32"), ("train", "early_stop"), ("transfer",), ("dotcnn",)],
    ids=".".join,
)  # fmt: skip
def test_what_an_older_version_did_not_know_takes_its_default(path: tuple[str, ...]) -> None:
    made = plan(network(NET))
    older = without(json.loads(made.to_json()), *path)
    assert TrainPlan.from_json(json.dumps(older)) == made


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"train": {"sharpness": {"is": "sharpness", "rho": 5}}}, "`train` has `sharpness`"),
        ({"train": {"optimizer": {"is": "optimizer lion"}}}, "`train` has `optimizer lion`"),
        ({"train": {"batch": {"is": "batch", "size": 8, "grow": 2}}},
         "`batch` has an argument `grow`"),
        ({"augment": [{"is": "fog", "p": 1}]}, "`augment` has `fog`"),
        ({"format": 2}, "it has format 2, and only 1 can be read"),
    ],
)  # fmt: skip
def test_what_only_a_newer_version_knows_is_named(changes: dict[str, Any], unknown: str) -> None:
    """With both versions, so that one knows which to install."""
    text = changed(**changes, dotcnn="9.8.7")
    with pytest.raises(PlanError) as caught:
        TrainPlan.from_json(text)
    assert unknown in str(caught.value)
    assert f"written by dotcnn 9.8.7, and this is {__version__}" in str(caught.value)


def test_the_same_spec_gives_the_same_text() -> None:
    text = f"{NET}train {{ epochs 3 }}\n"
    assert plan(network(text)).to_json() == plan(network(text)).to_json()
    assert program(text).main.source.text == text
