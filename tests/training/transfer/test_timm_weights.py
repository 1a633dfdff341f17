"""Weights of timm: with a stand-in, and, where it is installed, with timm itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import dotcnn
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.transfer.timm_weights import from_timm
from dotcnn.training.weights.match import match

from ..foreign import fill
from ..small import Looker, last, trained
from .begun import notes, small_set, spec
from .gallery import Begun, begun
from .gallery import spec as spec_of_gallery

pytestmark = pytest.mark.usefixtures("no_report")

SMALL = """
network Net { input 3x32x32, conv 4 3x3, bn, relu, pool avg global, flatten, fc 3 }
train { data npz "set.npz", epochs 1, optimizer sgd lr=1e-12 }
transfer { from "timm:resnet18.a1_in1k", freeze all, head reset }
"""

AGREE = "The activations of both agree for an image of noise."

ABOUT: dict[str, Any] = {
    "input_size": (3, 32, 32),
    "crop_pct": 0.75,
    "interpolation": "bicubic",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.25, 0.25, 0.25),
}


class StandIn(ModuleType):
    """What is used of timm. It knows ResNets, and has no weights but those that are given."""

    PUBLISHED = ("resnet18.a1_in1k", "resnet18.a2_in1k", "resnet50.a1_in1k")

    def __init__(self, module: nn.Module | None = None, **about: object) -> None:
        super().__init__("timm")
        self.module = module
        self.about = {**ABOUT, **about}
        self.overlay: object = "nothing was asked for"

    def is_model(self, name: str) -> bool:
        return name in self.list_models()

    def list_models(self) -> list[str]:
        return ["resnet18", "resnet50", "resnet51"]

    def list_pretrained(self, pattern: str = "*") -> list[str]:
        return [name for name in self.PUBLISHED if name.startswith(pattern.removesuffix("*"))]

    def get_pretrained_cfg(self, name: str) -> object:
        return SimpleNamespace(hf_hub_id=f"timm/{name}", hf_hub_filename=None, custom_load=False)

    def create_model(
        self, name: str, pretrained: bool, pretrained_cfg_overlay: object
    ) -> nn.Module:
        self.overlay = pretrained_cfg_overlay
        if self.module is None:
            raise OSError("there is no network")
        self.module.pretrained_cfg = self.about  # type: ignore[assignment]
        return self.module


class Hub(ModuleType):
    """What is used of the package that keeps timm's files."""

    def __init__(self, *there: str) -> None:
        super().__init__("huggingface_hub")
        self.there = there

    def try_to_load_from_cache(self, repository: str, file: str, revision: object) -> str | None:
        return f"/cache/{repository}/{file}" if file in self.there else None

    def hf_hub_url(self, repository: str, file: str, revision: object) -> str:
        return f"https://hub.example/{repository}/{file}"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[StandIn, Hub], StandIn]:
    def put(timm: StandIn, hub: Hub) -> StandIn:
        monkeypatch.setitem(sys.modules, "timm", timm)
        monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
        return timm

    return put


Put = Callable[[StandIn, Hub], StandIn]


def refused(name: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        from_timm(name)
    (found,) = raised.value.diagnostics
    return found


# ---- with a stand-in ---------------------------------------------------------------------------


def test_a_module_and_what_it_says_of_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Put
) -> None:
    """That becomes what `evaluate` says, also for who uses the run later."""
    module = dotcnn.load(SMALL)
    stand_in(StandIn(module), Hub())
    monkeypatch.chdir(tmp_path)
    small_set(tmp_path)
    looker = Looker()
    trained(tmp_path / "run", SMALL, callback=looker)
    learned = last(tmp_path / "run")
    assert torch.equal(learned["conv.weight"], module.state_dict()["conv.weight"])
    known = json.loads((tmp_path / "run" / "record.json").read_text())["preparation"]
    assert (known["mean"], known["std"]) == ([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
    assert (known["fit"]["resize"], known["fit"]["mode"]) == (42, "bicubic")
    assert "another network" not in notes(looker)
    assert AGREE in " ".join((tmp_path / "run" / "transfer.txt").read_text().split())


def test_a_network_that_weights_fit_and_that_computes_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Put
) -> None:
    stand_in(StandIn(dotcnn.load(SMALL.replace("relu", "silu"))), Hub())
    monkeypatch.chdir(tmp_path)
    small_set(tmp_path)
    looker = Looker()
    trained(tmp_path / "run", SMALL, callback=looker)
    said = " ".join(notes(looker).split())
    assert "the weights of timm:resnet18.a1_in1k fit, but activations diverge at fc" in said
    assert "an activation, a pool or a padding differs" in said


@pytest.mark.parametrize(
    ("about", "resize"),
    [
        ({}, 42),
        ({"crop_pct": 1.0}, 32),
        ({"crop_pct": 0.95}, 33),
        ({"crop_mode": "squash"}, (42, 42)),
        ({"crop_mode": "squash", "crop_pct": 1.0}, (32, 32)),
    ],
)
def test_sizes(stand_in: Put, about: dict[str, object], resize: object) -> None:
    """Rounded down, as in timm; where nothing is cut off, both sides are what is resized to."""
    stand_in(StandIn(dotcnn.load(SMALL), **about), Hub())
    _, pixels = from_timm("resnet18.a1_in1k")
    assert pixels is not None
    assert (pixels.resize, pixels.crop) == (resize, (32, 32))


def test_nothing_is_known_of_images(stand_in: Put) -> None:
    stand_in(StandIn(dotcnn.load(SMALL), crop_pct="unknown"), Hub())
    assert from_timm("resnet18.a1_in1k")[1] is None


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ((), None),
        (("pytorch_model.bin",), "pytorch_model.bin"),
        (("pytorch_model.bin", "model.safetensors"), "model.safetensors"),
    ],
)
def test_what_is_in_the_cache_is_taken_as_it_is(
    stand_in: Put, there: tuple[str, ...], taken: str | None
) -> None:
    """Nobody asks whether there is something newer, which takes a minute without a network."""
    timm = stand_in(StandIn(dotcnn.load(SMALL)), Hub(*there))
    from_timm("resnet18.a1_in1k")
    assert timm.overlay == ({"file": f"/cache/timm/resnet18.a1_in1k/{taken}"} if taken else None)


def test_weights_that_cannot_be_downloaded(stand_in: Put) -> None:
    """Why, from where it would be, and that a file does as well."""
    stand_in(StandIn(), Hub())
    found = refused("resnet18.a1_in1k")
    assert found.code == "no-such-weights"
    assert "there is no network" in found.notes
    assert any("hub.example/timm/resnet18.a1_in1k/model.safetensors" in n for n in found.notes)
    assert "`from`" in found.help


def test_what_is_in_the_cache_and_cannot_be_read(stand_in: Put) -> None:
    stand_in(StandIn(), Hub("model.safetensors"))
    found = refused("resnet18.a1_in1k")
    assert found.code == "weights-damaged"
    assert found.notes == ("it is in /cache/timm/resnet18.a1_in1k/model.safetensors",)


@pytest.mark.parametrize(
    ("name", "message", "help"),
    [
        ("resnet81.a1_in1k", "no model called resnet81", "resnet18.a1_in1k"),
        ("ResNet50", "no model called ResNet50", "resnet50"),
        ("resnet18.a3_in1k", "no weights a3_in1k of resnet18", "resnet18.a"),
        ("resnet18.A1_in1k", "no weights A1_in1k of resnet18", "resnet18.a1_in1k"),
        ("resnet51", "timm has no pretrained weights of resnet51", "resnet50"),
        ("zzz", "no model called zzz", ""),
    ],
)
def test_unknown_names(stand_in: Put, name: str, message: str, help: str) -> None:
    stand_in(StandIn(dotcnn.load(SMALL)), Hub())
    found = refused(name)
    assert found.code == "unknown-weights"
    assert message in found.message
    assert help in found.help
    assert bool(help) == bool(found.help)
    if "weights a3" in found.message:
        assert found.notes == ("there are a1_in1k and a2_in1k",)


def test_the_best_weights_where_none_are_named(stand_in: Put) -> None:
    module = dotcnn.load(SMALL)
    stand_in(StandIn(module), Hub())
    assert from_timm("resnet18")[0] is module


def test_timm_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # type: ignore[arg-type]
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", spec(source="timm:resnet18.a1_in1k"))
    (found,) = raised.value.diagnostics
    assert (found.code, found.help) == ("missing-package", "pip install timm")
    assert found.span is not None


def test_timm_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    found = refused("resnet18.a1_in1k")
    assert (found.code, found.help) == ("missing-package", "pip install --upgrade timm")


def test_something_that_timm_needs_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *others: object) -> None:
            if name == "timm":
                raise ImportError("No module named 'yaml'", name="yaml")

    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    found = refused("resnet18.a1_in1k")
    assert (found.code, found.help) == ("missing-package", "pip install yaml")


# ---- with timm ---------------------------------------------------------------------------------

SAME = {
    "resnet50.a1_in1k": "resnet50",
    "resnet18.a1_in1k": "resnet18",
    "resnet50d.ra2_in1k": "resnet50_d",
    "resnext50_32x4d.a1_in1k": "resnext50_32x4d",
    "res2net50_26w_4s.in1k": "res2net50_26w_4s",
    "densenet121.ra_in1k": "densenet121",
    "vgg16_bn.tv_in1k": "vgg16_bn",
    "mobilenetv2_100.ra_in1k": "mobilenet_v2",
    "efficientnet_b0.ra_in1k": "efficientnet_b0",
    "convnext_tiny.fb_in1k": "convnext_tiny",
    "regnety_008_tv.tv2_in1k": "regnet_y_800mf",
    "regnetx_008.tv2_in1k": "regnet_x_800mf",
    "inception_v3.tv_in1k": "inception_v3",
    "inception_v4.tf_in1k": "inception_v4",
    "mnasnet_100.rmsp_in1k": "mnasnet1_0",
    "repvgg_a0.rvgg_in1k": "repvgg_a0",
    "ghostnet_100.in1k": "ghostnet_1_0",
    "dla34.in1k": "dla34",
}
"""Networks of the gallery that are timm's, too."""

OTHERS = {
    "seresnet50.a1_in1k": (
        "seresnet50",
        "layer2.0.conv1 has stride 2x2 in the spec, 1x1 in the source",
    ),
    "mobilenetv3_small_100.lamb_in1k": (
        "mobilenet_v3_small",
        "bn has eps 0.001 in the spec, 1e-05 in the source",
    ),
    "tf_efficientnet_b0.in1k": (
        "efficientnet_b0",
        "bn1 has eps 1e-05 in the spec, 0.001 in the source",
    ),
    "tf_efficientnetv2_s.in1k": ("efficientnet_v2_s", "an activation, a pool or a padding differs"),
}
"""Such that weights fit and something else is computed, and what is said of that."""


@pytest.fixture
def timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Itself, with a cache of its own and no network."""
    try:
        torchvision()
    except ImportError:
        pytest.skip("timm needs torchvision, which is not installed")
    found = pytest.importorskip("timm", reason="timm is not installed, nor does anything need it")
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return found


def published(timm: Any, name: str, folder: Path, side: int) -> nn.Module:
    """A module with random weights, which are then where timm keeps what it has fetched."""
    torch.manual_seed(0)
    module: nn.Module = timm.create_model(name)
    with torch.no_grad():
        fill(module, torch.randn(2, 3, side, side))
    about: Any = module.pretrained_cfg
    kept = folder / "hub" / f"models--{about['hf_hub_id'].replace('/', '--')}"
    revision = "1" * 40
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(revision)
    (kept / "snapshots" / revision).mkdir(parents=True)
    weights = {key: tensor.contiguous() for key, tensor in module.state_dict().items()}
    save_file(weights, kept / "snapshots" / revision / "model.safetensors")
    return module.eval()


def started(timm: Any, name: str, ours: str, folder: Path) -> tuple[nn.Module, Begun, int]:
    """A spec with timm's name in it, as far as before the first step."""
    side = 299 if ours.startswith("inception") else 64
    module = published(timm, name, folder, side)
    return module, begun(folder, spec_of_gallery(ours, f"timm:{name}"), side), side


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_networks_that_are_the_same_compute_the_same(timm: Any, name: str, tmp_path: Path) -> None:
    """Whatever timm calls its layers. Only auxiliary heads are not there in timm."""
    module, found, side = started(timm, name, SAME[name], tmp_path)
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        expected = module.double()(images)
        assert 0.01 < expected.std() < 1000, "an output that says nothing"
        assert (found.module.double().eval()(images) - expected).abs().max() <= 1e-9
    assert AGREE in " ".join(found.start.table.split())
    assert "another network" not in "".join(found.start.lines)
    anew = [line for line in found.start.lines if "anew" in line]
    assert anew == (["aux begins anew"] if name.startswith("inception_v3") else [])
    known = match(found.request.network, module.state_dict())
    assert not known.ambiguous
    assert {row.layer.split(".")[0] for row in known.missing()} <= {"aux"}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_networks_that_differ_in_something_say_so(timm: Any, name: str, tmp_path: Path) -> None:
    ours, why = OTHERS[name]
    _, found, _ = started(timm, name, ours, tmp_path)
    (line,) = [line for line in found.start.lines if "another network" in line]
    assert why in line
    assert line in found.start.table


@pytest.mark.slow
def test_a_network_of_other_widths_is_refused(timm: Any, tmp_path: Path) -> None:
    """The RegNet that was published first rounds its widths otherwise than torchvision's."""
    with pytest.raises(SpecError) as raised:
        started(timm, "regnety_008.pycls_in1k", "regnet_y_800mf", tmp_path)
    (found,) = raised.value.diagnostics
    assert found.code == "weights"
    assert any("in the source" in note for note in found.notes)


@pytest.mark.slow
def test_preprocessing_of_timm_weights(timm: Any, tmp_path: Path) -> None:
    """As timm itself would do it, in the size of the spec: a1 keeps 95 % of 224."""
    published(timm, "resnet50.a1_in1k", tmp_path, 64)
    text = spec_of_gallery("resnet50", "timm:resnet50.a1_in1k")
    evaluate = begun(tmp_path, text, 224).request.plan.evaluate
    assert evaluate.resize is not None
    assert (evaluate.resize.side, evaluate.resize.mode) == (235, "bicubic")
    assert evaluate.normalize.mean == (0.485, 0.456, 0.406)
    assert evaluate.normalize.std == (0.229, 0.224, 0.225)
    made = timm.data.create_transform(
        **timm.data.resolve_model_data_config(timm.create_model("resnet50.a1_in1k"))
    )
    assert (made.transforms[0].size, made.transforms[0].interpolation.value) == (235, "bicubic")


@pytest.mark.slow
def test_names_that_timm_does_not_know(timm: Any) -> None:
    assert "resnet50.a1_in1k" in refused("resnet50.a1_in1K").help
    assert "resnet50.a1_in1k" in refused("resnett50.a1_in1k").help
    assert "resnet50" in refused("ResNet50").help
    assert refused("resnet50.a1_in1k").code == "no-such-weights"
    assert refused("beit3_giant_patch14_224").code == "unknown-weights"


@pytest.mark.slow
def test_a_damaged_file_in_its_cache(timm: Any, tmp_path: Path) -> None:
    published(timm, "resnet18.a1_in1k", tmp_path, 64)
    (file,) = tmp_path.rglob("model.safetensors")
    file.write_bytes(file.read_bytes()[:1000])
    found = refused("resnet18.a1_in1k")
    assert found.code == "weights-damaged"
    assert str(file) in found.notes[0]
