"""Loading pretrained weights into a network, and what is reported about it."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import dotcnn
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.inference.trained_model import open_run
from dotcnn.training.runtime.import_torchvision import torchvision

from ..small import Looker, equal, gone_on, last, trained
from .begun import first, notes, small_set, spec

pytestmark = pytest.mark.usefixtures("no_report")

STILL = {"train.epochs": 1, "train.optimizer": "sgd lr=1e-12"}
"""One epoch in which no weight moves as far as its last digit."""


def refused(folder: Path, text: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        trained(folder, text)
    (found,) = raised.value.diagnostics
    return found


def of_the_first() -> dict[str, Tensor]:
    """In the order of its layers: files of safetensors are sorted by name."""
    weights = load_file(first() / "best.safetensors")
    return {key: weights[key] for key in last(first())}


# ---- what comes from where ---------------------------------------------------------------------


def test_the_table_is_in_the_folder_and_its_sum_is_said(tmp_path: Path) -> None:
    looker = Looker()
    trained(tmp_path / "run", spec("freeze all", "head reset"), set=STILL, callback=looker)
    table = (tmp_path / "run" / "transfer.txt").read_text()
    assert "layer1.0.conv" in table
    assert "matched" in table
    assert "9 layers of Net: 9 matched" in notes(looker)
    assert "fc is initialized at random" in notes(looker)


@pytest.mark.parametrize("kind", [".pt", ".npz", ".onnx", "wrapped.pth"])
def test_files_of_all_kinds(tmp_path: Path, kind: str) -> None:
    weights, file = of_the_first(), tmp_path / f"weights{kind}"
    if kind == ".npz":
        numpy.savez(file, **{key: tensor.numpy() for key, tensor in weights.items()})
    elif kind == ".onnx":
        onnx = pytest.importorskip("onnx")
        held = [onnx.numpy_helper.from_array(t.numpy(), name=key) for key, t in weights.items()]
        graph = onnx.helper.make_graph([], "net", [], [], initializer=held)
        onnx.save(onnx.helper.make_model(graph), file)
    elif kind == ".pt":
        torch.save(weights, file)
    else:
        inner = {f"module.{key}": tensor for key, tensor in weights.items()}
        torch.save({"epoch": 3, "state_dict": inner}, file)
    trained(tmp_path / "run", spec("freeze all", source=file), set=STILL)
    learned = last(tmp_path / "run")
    assert all(torch.allclose(learned[key], weights[key], atol=1e-6) for key in weights)


def test_color_weights_for_gray_input(tmp_path: Path) -> None:
    """Of three colours that are always the same, a filter sees their sum."""
    weights = of_the_first()
    weights["conv.weight"] = weights["conv.weight"].repeat(1, 3, 1, 1) / 3
    torch.save(weights, tmp_path / "colours.pt")
    looker = Looker()
    text = spec("freeze all", source=tmp_path / "colours.pt")
    trained(tmp_path / "run", text, set=STILL, callback=looker)
    found = last(tmp_path / "run")["conv.weight"]
    assert torch.allclose(found, of_the_first()["conv.weight"], atol=1e-6)
    assert "conv.weight: color channels summed" in notes(looker)


def test_features_take_over_a_part_and_the_rest_is_the_specs_own(tmp_path: Path) -> None:
    """What has a partner behind the cut is initialized at random all the same."""
    looker = Looker()
    trained(tmp_path / "run", spec("features layer1"), set=STILL, callback=looker)
    learned, theirs = last(tmp_path / "run"), of_the_first()
    torch.manual_seed(0)
    fresh = dotcnn.load(spec()).state_dict()
    for key, tensor in learned.items():
        if "running" in key or "num_batches" in key:
            continue
        own = key.startswith(("layer2", "bn2", "fc"))
        assert torch.allclose(tensor, (fresh if own else theirs)[key], atol=1e-6), key
    assert "layer2, bn2 and fc are initialized at random" in notes(looker)


def with_another_head(text: str, head: str) -> str:
    """The same network up to its last convolution."""
    return text.replace("pool avg global, flatten\n  dropout 0.2\n  fc classes", head)


CONVOLUTIONAL = "dropout 0.2\n  fc: conv classes 1x1\n  pool avg global, flatten"
BEHIND_THE_POOL = "pool avg global\n  fc: conv classes 1x1\n  flatten"


@pytest.mark.parametrize("theirs", ["fc", "conv"])
@pytest.mark.parametrize("line", ["head reset", "features layer2"])
@pytest.mark.parametrize("head", ["", CONVOLUTIONAL, BEHIND_THE_POOL])
def test_a_convolutional_head_becomes_another(
    tmp_path: Path, theirs: str, line: str, head: str
) -> None:
    """A linear layer over 8 channels and a 1x1 convolution over them have the same filters, but
    here not as many."""
    file = tmp_path / "weights.pt"
    weights = of_the_first()
    weights["fc.weight"], weights["fc.bias"] = torch.randn(40, 8), torch.randn(40)
    if theirs == "conv":
        weights["fc.weight"] = weights["fc.weight"][:, :, None, None]
    torch.save(weights, file)
    text = spec(line, source=file)
    text = with_another_head(text, head) if head else text
    trained(tmp_path / "run", text, set=STILL)
    learned = last(tmp_path / "run")
    assert torch.allclose(learned["layer2.weight"], weights["layer2.weight"], atol=1e-6)
    assert len(learned["fc.weight"]) == 10


@pytest.mark.parametrize("head", [CONVOLUTIONAL, BEHIND_THE_POOL])
def test_a_convolutional_head_of_as_many_classes_is_taken_over(tmp_path: Path, head: str) -> None:
    weights = of_the_first()
    torch.save(weights, tmp_path / "weights.pt")
    text = with_another_head(spec(source=tmp_path / "weights.pt"), head)
    trained(tmp_path / "run", text, set=STILL)
    learned = last(tmp_path / "run")["fc.weight"].flatten(1)
    assert torch.allclose(learned, weights["fc.weight"], atol=1e-6)


# ---- what pixels become ------------------------------------------------------------------------


def test_pixels_become_what_they_were_for_the_weights(tmp_path: Path) -> None:
    """Where the spec says nothing; also for who uses the run later."""
    weights = tmp_path / "first"
    text = spec().partition("transfer")[0] + "evaluate { normalize mean=0.25 std=0.5 }\n"
    trained(weights, text, set=STILL)
    trained(tmp_path / "run", spec(source=weights), set=STILL)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["preparation"]["mean"] == [0.25]
    ready = open_run(tmp_path / "run", dotcnn.__version__, device=torch.device("cpu"))
    assert ready.plan.evaluate.normalize.pixels.std == (0.5,)

    own = spec(source=weights) + "evaluate { normalize mean=0.125 std=0.5 }\n"
    trained(tmp_path / "own", own, set=STILL)
    record = json.loads((tmp_path / "own" / "record.json").read_text())
    assert record["preparation"]["mean"] == [0.125]


def test_a_run_goes_on_without_what_it_began_with(tmp_path: Path) -> None:
    """All that was settled then is in its folder."""
    file = tmp_path / "weights.pt"
    torch.save(of_the_first(), file)
    text = spec("policy auto similar=yes", source=file)
    whole = trained(tmp_path / "whole", text)
    stopped = trained(tmp_path / "run", text, callback=Looker(stop_after=3))
    assert stopped.interrupted
    file.unlink()
    assert gone_on(tmp_path / "run").metrics == whole.metrics
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


# ---- libraries ---------------------------------------------------------------------------------

RESNET = """
import "resnet/blocks.cnn"
network Net {
  input 3x32x32
  conv 64 7x7 stride=2 same, bn, relu
  pool max 3x3 stride=2 same
  layer1: repeat 2 { basic 64 }
  layer2: repeat 2 as i { basic 128 stride=max(1, 2 - i) }
  layer3: repeat 2 as i { basic 256 stride=max(1, 2 - i) }
  layer4: repeat 2 as i { basic 512 stride=max(1, 2 - i) }
  pool avg global, flatten
  fc classes
}
train { data npz "set.npz", epochs 1, optimizer sgd lr=1e-12 }
transfer { from "SOURCE", freeze all, head reset }
"""


needs_torchvision = pytest.mark.skipif(find_spec("torchvision") is None, reason="not installed")


@pytest.mark.slow
@needs_torchvision
def test_weights_of_torchvision_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = torchvision("models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    small_set(tmp_path)
    theirs = models.resnet18().state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(theirs, tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth")
    text = RESNET.replace("SOURCE", "torchvision:ResNet18_Weights.IMAGENET1K_V1")
    trained(tmp_path / "run", text)
    learned = last(tmp_path / "run")
    assert torch.equal(learned["layer4.1.conv2.weight"], theirs["layer4.1.conv2.weight"])
    known = json.loads((tmp_path / "run" / "record.json").read_text())["preparation"]
    assert known["mean"] == [0.485, 0.456, 0.406]
    assert known["fit"]["resize"] == round(32 * 256 / 224)
    assert Preparation.from_json(json.dumps(known)).size == (32, 32)


@needs_torchvision
def test_weights_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With where they are from, and where they would have to be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*arguments: object, **options: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    small_set(tmp_path)
    text = RESNET.replace("SOURCE", "torchvision:ResNet18_Weights.IMAGENET1K_V1")
    found = refused(tmp_path / "run", text)
    assert found.code == "no-such-weights"
    assert any("there is no network" in note for note in found.notes)
    assert "resnet18-f37072fd.pth" in found.help
    assert found.span is not None

    text = text.replace("ResNet18_Weights", "ResNet81_Weights")
    found = refused(tmp_path / "run", text)
    assert found.code == "unknown-weights"
    assert "ResNet" in found.help


# ---- what does not fit -------------------------------------------------------------------------


def test_a_head_of_another_size(tmp_path: Path) -> None:
    """Both shapes, and the word that helps."""
    found = refused(tmp_path / "run", spec(source=of_seven_classes(tmp_path)))
    assert found.code == "weights"
    assert any("10x8" in note and "7x8" in note for note in found.notes)
    assert "head reset" in found.help
    assert found.span is not None
    assert found.span.text.startswith("from")


def of_seven_classes(folder: Path) -> Path:
    weights = of_the_first()
    weights["fc.weight"], weights["fc.bias"] = weights["fc.weight"][:7], weights["fc.bias"][:7]
    torch.save(weights, folder / "seven.pt")
    return folder / "seven.pt"


def test_other_layers_that_do_not_fit(tmp_path: Path) -> None:
    """Up to where it fits, `features` can take it over."""
    weights = of_the_first()
    for key in list(weights):
        if key.startswith(("layer2", "bn2", "fc")):
            del weights[key]
    torch.save(weights, tmp_path / "half.pt")
    found = refused(tmp_path / "run", spec("head reset", source=tmp_path / "half.pt"))
    assert found.code == "weights"
    assert "features layer1.1.bn" in found.help
    assert any("layer2" in note for note in found.notes)


def test_missing_weights(tmp_path: Path) -> None:
    found = refused(tmp_path / "run", spec(source=tmp_path / "nothing"))
    assert found.code == "no-such-file"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "run", spec(source=tmp_path / "empty")).code == "no-run"
    (tmp_path / "a.pt").write_bytes(b"no weights" * 40)
    assert refused(tmp_path / "run", spec(source=tmp_path / "a.pt")).code == "weights-damaged"
