"""`dotcnn.export`: the file computes what the module does, or no file is written."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

import dotcnn
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.export import export as exporting
from dotcnn.training.export import formats, onnx_file, pt2_file, weights_file
from dotcnn.training.export.compare import TOLERANCE, compare

from ..foreign import QUICK, ours

SPEC = """
network Small {
  input 3x12x12
  conv 8 3x3 same, bn, relu
  side: aux { pool avg global, flatten, fc 5 }
  a: conv 4 3x3 stride=2
  flatten
  fc 5, softmax
}
"""
OF_ALL_KINDS = """
block unit(width) { conv width 3x3 same, bn, relu }

network Rich {
  input 3x12x12
  unit 8
  residual {
    depthwise 3x3 same, bn, relu6
    conv 8 groups=2, bn
  }
  a: conv 8
  bn
  side: aux { pool avg global, flatten, fc 5 }
  deconv 12 2x2 stride=2 groups=2, bn
  filter blur same, bn
  separable 8 3x3 same, bn, relu
  pool lp 3x3 p=3 stride=2 ceil
  add a
  spp 4 2 1
  fc 16, bn, relu
  fc 5, softmax
}
"""
FORMATS = ("onnx", "pt2", "safetensors")


def trained(spec: str) -> dict[str, Tensor]:
    """Weights as they may be after training: norms have seen something."""
    random = torch.Generator().manual_seed(7)
    state: dict[str, Tensor] = dotcnn.load(spec).state_dict()
    for key, tensor in state.items():
        if key.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=random) + 0.5)
        elif tensor.is_floating_point():
            tensor += 0.1 * torch.randn(tensor.shape, generator=random)
    return state


WEIGHTS = trained(SPEC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network in all formats, by their endings."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "small.cnn").write_text(SPEC)
    found = {}
    for ending in FORMATS:
        found[ending] = folder / f"net.{ending}"
        made = dotcnn.export(folder / "small.cnn", found[ending], weights=WEIGHTS)
        assert made.files == (found[ending],)
        sizes = [difference.batch for difference in made.differences]
        assert sizes == ([] if ending == "safetensors" else [1, 3])
    return found


def module(predict: bool = False) -> Callable[[Tensor], Tensor]:
    """What Small computes with these weights, in evaluation."""
    made = dotcnn.load(SPEC)
    made.load_state_dict(WEIGHTS)
    made.eval()

    def run(images: Tensor) -> Tensor:
        with torch.no_grad():
            result: Tensor = (made.predict if predict else made)(images)  # type: ignore[operator]
        return result

    return run


def loaded(path: Path) -> Callable[[Tensor], Tensor]:
    """An exported file, as others run it."""
    if path.suffix == ".pt2":
        program: Any = torch.export.load(path).module()
        return lambda images: program(images).detach()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        (output,) = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(output)

    return run


def images(batch: int) -> Tensor:
    return torch.randn(batch, 3, 12, 12, generator=torch.Generator().manual_seed(batch))


def problem(error: pytest.ExceptionInfo[SpecError]) -> Diagnostic:
    (found,) = error.value.diagnostics
    return found


# ---- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_it_computes_the_same_for_batches_of_any_size(ending: str, files: dict[str, Path]) -> None:
    ours, theirs = module(), loaded(files[ending])
    for batch in (1, 2, 7):
        torch.testing.assert_close(theirs(images(batch)), ours(images(batch)), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["onnx", "pt2"])
@pytest.mark.parametrize("fold", [False, True])
def test_layers_of_all_kinds(ending: str, fold: bool, tmp_path: Path) -> None:
    weights = trained(OF_ALL_KINDS)
    ours = dotcnn.load(OF_ALL_KINDS)
    ours.load_state_dict(weights)
    made = dotcnn.export(OF_ALL_KINDS, tmp_path / f"net.{ending}", weights=weights, fold=fold)
    with torch.no_grad():
        wanted = ours.eval()(images(7))
    found = loaded(made.files[0])(images(7))
    torch.testing.assert_close(found, wanted, rtol=0, atol=5e-6 * float(wanted.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_networks_of_the_gallery(name: str, tmp_path: Path) -> None:
    """One of each family; benchmarks/exported.py has them all."""
    network, path = ours(name), tmp_path / "net.onnx"
    theirs = dotcnn.load(network)
    dotcnn.export(network, path, weights=theirs.state_dict())
    given = torch.randn(2, *network.input.shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        wanted = theirs.eval()(given)
    scale = wanted.abs().max().item()
    torch.testing.assert_close(loaded(path)(given), wanted, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_predictions_are_probabilities(ending: str, files: dict[str, Path], tmp_path: Path) -> None:
    """Where they are asked for; else the outputs are logits. ONNX says which."""
    path = tmp_path / f"net.{ending}"
    dotcnn.export(SPEC, path, weights=WEIGHTS, predict=True)
    found = loaded(path)(images(4))
    torch.testing.assert_close(found, module(predict=True)(images(4)), rtol=0, atol=1e-5)
    torch.testing.assert_close(found, loaded(files[ending])(images(4)).softmax(1))
    if ending == "onnx":
        for file, name in ((path, "probabilities"), (files[ending], "logits")):
            (output,) = onnx.load(file).graph.output
            assert output.name == name


def test_onnx_is_of_the_opset_and_batch_that_were_asked_for(
    files: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "net.onnx"
    dotcnn.export(SPEC, other, weights=WEIGHTS, opset=18, batch=2)
    for path, opset, batch in ((files["onnx"], formats.OPSET, None), (other, 18, 2)):
        model = onnx.load(path)
        (version,) = [each.version for each in model.opset_import if not each.domain]
        assert version == opset
        (given,) = model.graph.input
        first, *others = given.type.tensor_type.shape.dim
        assert [dim.dim_value for dim in others] == [3, 12, 12]
        assert (first.dim_param, first.dim_value) == (("batch", 0) if batch is None else ("", 2))
    loaded(other)(images(2))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        loaded(other)(images(3))


def test_safetensors_hold_all_weights_bit_for_bit(tmp_path: Path) -> None:
    """Those of auxiliary heads too, so that training can go on from them; and they load again."""
    path = tmp_path / "net.safetensors"
    weights = {**WEIGHTS, "a.bias": torch.full((4,), torch.nan)}
    dotcnn.export(SPEC, path, weights=weights)
    state = dotcnn.load(SPEC, weights=path).state_dict()
    assert state.keys() == weights.keys()
    for key, tensor in weights.items():
        assert torch.equal(state[key].nan_to_num(9), tensor.nan_to_num(9))
    with safe_open(path, "pt") as file:
        assert file.metadata()["format"] == "pt"


def test_auxiliary_heads_are_for_training(files: dict[str, Path], tmp_path: Path) -> None:
    """What is run has neither their outputs nor their weights, and needs none given."""
    held = {value.name for value in onnx.load(files["onnx"]).graph.initializer}
    program = torch.export.load(files["pt2"])
    for names in (held, program.state_dict):
        assert {name for name in names if name.startswith("fc.")} == {"fc.weight", "fc.bias"}
        assert not any(name.startswith("side") for name in names)
    weights = {key: tensor for key, tensor in WEIGHTS.items() if not key.startswith("side.")}
    dotcnn.export(SPEC, tmp_path / "net.pt2", weights=weights)
    with pytest.raises(SpecError, match="2 missing"):
        dotcnn.export(SPEC, tmp_path / "net.safetensors", weights=weights)


def test_files_say_what_they_are_and_nothing_of_the_machine(files: dict[str, Path]) -> None:
    for path in files.values():
        notes = metadata(path)
        assert notes["dotcnn.network"] == "Small"
        assert notes["dotcnn.spec"] == "small.cnn"
        assert notes["dotcnn.input"] == "3x12x12"
        assert notes["dotcnn.classes"] == "5"
        assert notes["dotcnn.weights"] == "given"
        assert len(notes["dotcnn.spec_sha256"]) == 64
        content = path.read_bytes()
        for place in (path.parent, Path(torch.__file__).parent, Path(dotcnn.__file__).parent):
            assert str(place).encode() not in content
        assert formats.EXPORTED.search(content)


def metadata(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return {each.key: each.value for each in onnx.load(path).metadata_props}
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            found: dict[str, str] = file.metadata()
        return found
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(pt2_file.METADATA)]
        notes: dict[str, str] = json.loads(archive.read(name))
    return notes


def test_weights_of_more_than_one_file_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie beside it, and both files are told of. (The limit is 2 GB; here it is less.)"""
    monkeypatch.setattr(onnx_file, "LARGEST", 1000)
    path = tmp_path / "net.onnx"
    made = dotcnn.export(SPEC, path, weights=WEIGHTS)
    assert made.files == (path, tmp_path / "net.onnx.data")
    assert sorted(tmp_path.iterdir()) == sorted(made.files)
    torch.testing.assert_close(loaded(path)(images(2)), module()(images(2)), rtol=0, atol=1e-5)
    assert path.stat().st_size < 5000


# ---- what is not written -------------------------------------------------------------------------


class Wrong:
    """Runs a file, and comes to something else."""

    def __init__(self, right: Callable[[Tensor], Tensor], change: Callable[[Tensor], Tensor]):
        self.right, self.change = right, change

    def __call__(self, images: Tensor) -> Tensor:
        return self.change(self.right(images))


def off_by_little(output: Tensor) -> Tensor:
    """In one number alone, and by three times what is allowed."""
    output = output.clone()
    output.view(-1)[-1] += 3 * TOLERANCE * output.abs().max()
    return output


def no_number(output: Tensor) -> Tensor:
    return torch.where(output == output.max(), torch.nan, output)


def one_more(output: Tensor) -> Tensor:
    return torch.cat([output, output[:, :1]], 1)


@pytest.mark.parametrize(
    ("ending", "change"), [("onnx", off_by_little), ("pt2", no_number), ("pt2", one_more)]
)
def test_different_outputs_are_not_written(
    ending: str,
    change: Callable[[Tensor], Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was there before stays."""
    path = tmp_path / f"net.{ending}"
    path.write_bytes(b"before")
    file, name = (onnx_file, "Session") if ending == "onnx" else (pt2_file, "Loaded")
    right = getattr(file, name)
    monkeypatch.setattr(file, name, lambda made: Wrong(right(made), change))
    with pytest.raises(SpecError) as error:
        dotcnn.export(SPEC, path, weights=WEIGHTS)
    found = problem(error)
    assert found.code == "export-check"
    assert f"net.{ending} in " in found.message
    assert "gives different outputs for a batch of 1; no file is written" in found.message
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_weights_that_are_not_those_written_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = weights_file.load_file

    def load(file: Path) -> dict[str, Tensor]:
        found = right(file)
        return {**found, "a.bias": found["a.bias"].nextafter(torch.tensor(9.0))}

    monkeypatch.setattr(weights_file, "load_file", load)
    with pytest.raises(SpecError) as error:
        dotcnn.export(SPEC, tmp_path / "net.safetensors", weights=WEIGHTS)
    assert problem(error).notes == ("a.bias differs",)
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_outputs_are_no_numbers_cannot_be_compared(tmp_path: Path) -> None:
    weights = {**WEIGHTS, "a.bias": torch.full((4,), torch.nan)}
    with pytest.raises(SpecError, match="not finite"):
        dotcnn.export(SPEC, tmp_path / "net.pt2", weights=weights)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_disk_that_is_full_and_an_interruption_leave_nothing(
    ending: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half of it was written."""

    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(exporting, "_write", lambda trained, file, *rest: half(file))
    with pytest.raises(type(error)):
        dotcnn.export(SPEC, tmp_path / f"net.{ending}", weights=WEIGHTS)
    assert list(tmp_path.iterdir()) == []


def test_invalid_options_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net"
    for ending, options in (
        ("pth", {}),
        ("safetensors", {"fold": True}),
        ("safetensors", {"predict": True}),
        ("safetensors", {"batch": 1}),
        ("pt2", {"opset": 18}),
        ("onnx", {"opset": 17}),
        ("onnx", {"opset": formats.OPSET + 1}),
    ):
        with pytest.raises(ValueError, match=r"."):
            dotcnn.export(SPEC, path.with_suffix(f".{ending}"), **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    """It is told which, and how many; the counters of norms may be missing."""
    path = tmp_path / "net.pt2"
    counters = {key for key in WEIGHTS if key.endswith("num_batches_tracked")}
    older = {key: tensor for key, tensor in WEIGHTS.items() if key not in counters}
    dotcnn.export(SPEC, path, weights=older)
    path.unlink()
    wrong = {**WEIGHTS, "a.bias": torch.zeros(9), "b.bias": torch.zeros(2)}
    del wrong["a.weight"]
    with pytest.raises(SpecError) as error:
        dotcnn.export(SPEC, path, weights=wrong)
    found = problem(error)
    assert found.message == (
        f"the state dict does not fit Small, which has {len(WEIGHTS)} tensors:"
        " 1 of a different shape, 1 missing, 1 not in the network"
    )
    assert found.notes == (
        "a.bias is 9, not 4",
        "a.weight (4x8x3x3) is missing",
        "b.bias (2) is not in the network",
    )
    with pytest.raises(SpecError) as error:
        dotcnn.export(SPEC, path, weights={f"net.{k}x": v for k, v in WEIGHTS.items()})
    assert "`dotcnn.match(…)" in problem(error).help
    assert list(tmp_path.iterdir()) == []


def test_rounding_differences_are_allowed() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    with torch.no_grad():
        found = compare(layer, lambda x: layer(x) * (1 + TOLERANCE / 3), [(5,)], 4, "it")
        assert 0.1 * TOLERANCE < found.relative < TOLERANCE
        assert found.batch == 4
        with pytest.raises(SpecError, match="it gives different outputs"):
            compare(layer, lambda x: layer(x) * (1 + TOLERANCE * 3), [(5,)], 4, "it")


class Sensitive(nn.Module):
    """What is lost of its input in single precision changes its output in the third digit."""

    def forward(self, x: Tensor) -> Tensor:
        return (x * 5e4).sin()


def test_networks_that_amplify_rounding_are_allowed() -> None:
    def better(x: Tensor) -> Tensor:
        return Sensitive()(x.double()).float()

    def worse(x: Tensor) -> Tensor:
        return better(x) + 10 * (Sensitive()(x) - better(x))

    found = compare(Sensitive(), better, [(5,)], 4, "it")
    assert found.relative > 3 * TOLERANCE
    assert found.rounding
    assert str(found).endswith("of the largest output (rounding of single precision)")
    with pytest.raises(SpecError, match="it gives different outputs"):
        compare(Sensitive(), worse, [(5,)], 4, "it")


SERIES = """
network Net {
  input 1x48
  pad left=4, conv 8 3 dilation=2, bn, relu, pool max 2
  conv 8 4 same_upper stride=2, bn, relu, pool lp 2 p=3
  upsample 2 mode=linear, ln, layerscale, deconv 6 2 stride=2, bn
  pool max adaptive=3, flatten, fc 3
}
"""
VOLUMES = """
network Net {
  input 1x8x16x16
  conv 8 3 same, bn, relu, pool max 1x2x2
  conv 8 1x3x3 same_upper stride=1x2x2, bn, relu, pool lp 2 p=3
  upsample 2 mode=trilinear, ln, layerscale, deconv 6 2 stride=2, bn
  pool max adaptive=2x3x3, flatten, fc 3
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["onnx", "pt2"])
@pytest.mark.parametrize("spec", [SERIES, VOLUMES], ids=["series", "volumes"])
def test_series_and_volumes(ending: str, spec: str, tmp_path: Path) -> None:
    """The export compares what it has written with the module itself."""
    network = dotcnn.compile(spec)
    made = dotcnn.export(network, tmp_path / f"net.{ending}", fold=True)
    model = dotcnn.load(network).eval()
    assert made.files[0].stat().st_size > 0
    assert model(torch.zeros(2, *network.input.shape)).shape == (2, 3)


LIKE = """
network Like {
  input 3x17x14
  a: conv 4 3x3 same
  pool max 2, conv 4 3x3
  b: relu
  upsample like=a mode=bilinear
  concat { | | from a }
  concat { | crop like=b | from b | from a, upsample like=b }
  conv 5 1x1
}
"""
ATTENDING = """
network Attending {
  input 3x12x12
  conv 18 3x3 same, lambda_layer heads=2 key=4 kernel=3
  conv 18 3x3 same, lambda_layer heads=2 key=4 position=relative
  bilinear_attention 4 groups=2 {
    |
    | pool max adaptive=4x1, conv 32 4x1
    | pool max adaptive=1x4, conv 32 1x4
  }
  flatten, fc 5
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["onnx", "pt2"])
@pytest.mark.parametrize(
    ("spec", "input"),
    [(LIKE, None), (LIKE, (3, 22, 19)), (ATTENDING, None)],
    ids=["like", "like of another size", "lambdas"],
)
def test_sizes_of_other_maps_and_lambda_layers(
    ending: str, spec: str, input: tuple[int, ...] | None, tmp_path: Path
) -> None:
    """It is compared before it is written."""
    (tmp_path / "net.cnn").write_text(spec)
    made = dotcnn.export(tmp_path / "net.cnn", tmp_path / f"net.{ending}", input=input)
    assert [difference.batch for difference in made.differences] == [1, 3]
