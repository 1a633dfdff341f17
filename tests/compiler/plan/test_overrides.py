"""`--set train.epochs=3` and its like."""

from __future__ import annotations

import pytest

from dotcnn.compiler.language.overrides import OverrideError, SectionOverride, divide, read_override
from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.augment.geometric import Rotate
from dotcnn.compiler.plan.data import Cifar10, Folder
from dotcnn.compiler.plan.optimizer import Adam, AdamW, Sgd
from dotcnn.compiler.plan.schedule import Cosine
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from networks import network

SPEC = """
network Net {
  input 3x32x32
  stem: conv 4
  pool avg global, flatten, fc 10
}

train {
  data folder "a" val=20%
  epochs 30
  optimizer sgd lr=0.05 momentum=0.9
}

augment {
  rotate 10
  noise 0.1
  noise 0.2
}
"""


def planned(*texts: str, spec: str = SPEC) -> TrainPlan:
    _, sections = divide([read_override(text) for text in texts])
    return plan(network(spec), sections)


def refused(*texts: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        planned(*texts)
    return caught.value.diagnostics


def test_a_directive() -> None:
    found = planned("train.epochs=3", "train.batch=2*8", "train.seed=7").train
    assert (found.epochs.count, found.batch.size, found.seed.value) == (3, 16, 7)


def test_a_directive_of_another_kind() -> None:
    found = planned("train.optimizer=adam lr=0.1", "train.data=cifar10").train
    assert isinstance(found.optimizer, Adam)
    assert found.optimizer.lr == 0.1
    assert isinstance(found.data, Cifar10)
    data = planned('train.data=folder "b"').train.data
    assert isinstance(data, Folder)
    assert (data.path, data.val) == ("b", None)


def test_one_argument_leaves_the_others() -> None:
    found = planned("train.optimizer.lr=0.1", "train.data.val=0.5").train
    assert isinstance(found.optimizer, Sgd)
    assert (found.optimizer.lr, found.optimizer.momentum) == (0.1, 0.9)
    assert isinstance(found.data, Folder)
    assert (found.data.path, found.split.val) == ("a", 0.5)


def test_one_argument_of_a_default() -> None:
    found = planned("train.schedule.warmup=2", "train.precision.tf32=off").train
    assert isinstance(found.schedule, Cosine)
    assert found.schedule.warmup == 2
    assert not found.precision.tf32
    grey = "network Net { input 1x8x8, flatten, fc 10 }"
    optimizer = planned("train.optimizer.lr=0.5", spec=grey).train.optimizer
    assert isinstance(optimizer, AdamW)
    assert optimizer.lr == 0.5


def test_what_is_off_and_on() -> None:
    found = planned("train.ema.decay=0.5", "train.clip=2", "evaluate.tta=flip").train
    assert found.ema is not None
    assert found.ema.decay == 0.5
    assert found.clip is not None
    assert planned("train.clip=2", "train.clip=off").train.clip is None
    assert planned("augment=off").augment == ()


def test_one_of_several() -> None:
    first = planned("augment.rotate=20").augment[0]
    assert isinstance(first, Rotate)
    assert first.degrees == (-20, 20)
    words = [one.word for one in planned("augment.flip=horizontal").augment]
    assert words == ["rotate", "noise", "noise", "flip"]
    (diagnostic,) = refused("augment.noise=0.3")
    assert "2 times" in diagnostic.message


def test_transfer() -> None:
    found = planned('transfer.from="a"', "transfer.lr.stem=0.1x", "transfer.lr.fc=2x")
    assert found.transfer is not None
    assert found.transfer.rates is not None
    assert found.transfer.rates.factors == (("stem", 0.1), ("fc", 2.0))
    (diagnostic,) = refused("transfer.l2=0.1")
    assert diagnostic.code == "missing-directive"


def test_they_are_checked_like_what_a_spec_says() -> None:
    """Typed by the same fields, all mistakes at once, in the words that were typed."""
    found = refused("train.epochs=0", "train.optimizer.lrr=1", "train.epcohs=3")
    assert sorted(d.code for d in found) == ["argument", "unknown-argument", "unknown-directive"]
    assert {d.where for d in found} == {"--set"}
    (diagnostic,) = refused("augment.crop=224")
    assert diagnostic.code == "unfit-input"


def test_a_place_in_what_was_typed() -> None:
    optimizer = planned("train.optimizer.lr=0.1").train.optimizer
    typed, spec = optimizer.place("lr"), optimizer.place("momentum")
    assert typed is not None
    assert spec is not None
    assert (typed.source.name, typed.text) == ("--set", "lr=0.1")
    assert (spec.source.name, spec.text) == ("net.cnn", "momentum=0.9")


@pytest.mark.parametrize(
    "text",
    ["train.epochs", "train.epochs=", "train.=3", "train..lr=3", "train.epochs=3 { }", "foo.bar=3",
     "train.epochs=3, batch 4", "train.epochs=3\nbatch 4", "train.a b=3", "x y=3",
     "train.epochs=(", "train.e: epochs=3"],
)  # fmt: skip
def test_what_is_no_override(text: str) -> None:
    """One statement and nothing else can be said."""
    with pytest.raises(OverrideError):
        read_override(text)


def test_parameters_and_sections_are_told_apart() -> None:
    parameters, sections = divide(map(read_override, ["width=2", "train.epochs=3", "x=[1, 2]"]))
    assert parameters == {"width": 2, "x": [1, 2]}
    assert [(one.section, one.argument) for one in sections] == [("train", "")]
    assert isinstance(read_override("train=off")[1], SectionOverride)


def test_a_directive_is_no_parameter_of_the_network() -> None:
    """`--set epochs=3`: what to write is said."""
    for name, words in (
        ("epochs", "write `--set train.epochs=3`"),
        ("flip", "write `--set augment.flip=…`"),
    ):
        with pytest.raises(SpecError) as caught:
            network("network Net { input 1x8x8, flatten, fc 10 }", overrides={name: 3})
        assert words in caught.value.diagnostics[0].help
    with pytest.raises(SpecError) as caught:
        network("network Net { input 1x8x8, flatten, fc 10 }", overrides={"nonsense": 3})
    assert caught.value.diagnostics[0].help == ""
