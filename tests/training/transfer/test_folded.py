"""Files in which an export has folded the norms into the convolutions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import dotcnn
from dotcnn.dsl.diagnostics import SpecError

from ..small import Looker, last, trained
from .begun import NETWORK, TRAIN, first, notes, spec

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `cnn export --fold` makes of a network that has learned."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    file = tmp_path_factory.mktemp("exported") / "folded.onnx"
    text = NETWORK.format(input="1x8x8", classes="10") + TRAIN
    dotcnn.export(text, file, weights=first() / "best.safetensors", fold=True)
    return file


def test_frozen_they_give_what_they_gave(tmp_path: Path, exported: Path) -> None:
    """To a rounding; the table and the notes say what became of the norms."""
    looker = Looker()
    set = {"train.epochs": 1, "train.optimizer": "sgd lr=1e-12"}
    trained(tmp_path / "run", spec("freeze all", source=exported), set=set, callback=looker)
    text = NETWORK.format(input="1x8x8", classes="10") + TRAIN
    images = torch.randn(5, 1, 8, 8)
    theirs = dotcnn.load(text)
    theirs.load_state_dict(load_file(first() / "best.safetensors"))
    ours = dotcnn.load(text)
    ours.load_state_dict(last(tmp_path / "run"))
    assert torch.allclose(ours.eval()(images), theirs.eval()(images), atol=1e-4)
    assert not torch.allclose(dotcnn.load(text).eval()(images), theirs(images), atol=1e-2)
    assert "4 norms of Net were folded" in notes(looker)
    assert "no norm in the source" in (tmp_path / "run" / "transfer.txt").read_text()


@pytest.mark.parametrize(
    ("lines", "learn"),
    [
        ((), "bn, layer1.0.bn, layer1.1.bn and 1 more are trained here"),
        (("freeze until layer2",), "bn2 is trained here"),
        (("freeze all", "unfreeze at epoch 2 until layer2"), "bn2 is trained here"),
    ],
)
def test_trained_norms_need_their_statistics(
    tmp_path: Path, exported: Path, lines: tuple[str, ...], learn: str
) -> None:
    """What they were is not in the file any more."""
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", spec(*lines, source=exported))
    (found,) = raised.value.diagnostics
    assert learn in found.message
    assert "freeze all" in found.help
    assert found.span is not None


def test_a_reinitialized_norm_needs_no_weights(tmp_path: Path, exported: Path) -> None:
    """`features` cuts off what comes behind."""
    result = trained(tmp_path / "run", spec("features layer1", source=exported))
    assert result.epochs == 2


def test_a_new_head_gets_no_bias_from_the_source(tmp_path: Path, exported: Path) -> None:
    """Its convolution stands where theirs stood, and is another."""
    text = spec("features layer1", source=exported).replace("layer2: conv 8", "layer2: conv 12")
    assert trained(tmp_path / "run", text).epochs == 2


def test_biases_alone_do_not_make_a_norm(tmp_path: Path) -> None:
    """A file from which norms were left away, of convolutions without biases, is incomplete."""
    weights = load_file(first() / "best.safetensors")
    torch.save({key: value for key, value in weights.items() if "bn" not in key}, tmp_path / "a.pt")
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", spec("freeze all", source=tmp_path / "a.pt"))
    assert "do not fill 4 layers" in raised.value.diagnostics[0].message
