"""`--set` given several times: which settings are in effect."""

from __future__ import annotations

import pytest

from dotcnn.compiler.language.overrides import SectionOverride, read_override
from dotcnn.compiler.plan.apply_overrides import in_effect
from dotcnn.training.request import override_text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["train.epochs=3", "train.batch=8", "train.epochs=5"],
         ["train.batch=8", "train.epochs=5"]),
        (["train.optimizer.lr=1", "train.optimizer=sgd lr=2"], ["train.optimizer=sgd lr=2"]),
        (["train.optimizer=sgd", "train.optimizer.lr=1", "train.optimizer.lr=2"],
         ["train.optimizer=sgd", "train.optimizer.lr=2"]),
        # Each is of another output.
        (["train.loss=a mae", "train.loss=b bce", "train.loss=a mae"],
         ["train.loss=b bce", "train.loss=a mae"]),
        (["train.log=csv", "train.log=csv tensorboard"], ["train.log=csv tensorboard"]),
        (["augment.rotate=5", "augment=off", "augment.flip=horizontal", "train.epochs=3"],
         ["augment=off", "augment.flip=horizontal", "train.epochs=3"]),
    ],
)  # fmt: skip
def test_what_a_later_one_replaces_is_left_out(given: list[str], kept: list[str]) -> None:
    overrides = [read_override(text)[1] for text in given]
    assert all(isinstance(each, SectionOverride) for each in overrides)
    assert [override_text(each) for each in in_effect(overrides)] == kept  # type: ignore[arg-type]
