"""Files of torch.export: JSON and raw numbers; nothing in them is opened that could run."""

from __future__ import annotations

import json
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from commands import run
from dotcnn import SpecError
from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.training.importing.imported_weights import compared, state_dict

pytestmark = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 9),
    reason="this torch writes an older form, which is not read",
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True))
        self.one = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        left, right = self.stem(x).chunk(2, 1)
        x = torch.cat([left, self.one(right) * torch.tensor(2.0)], 1)
        features = x.mean((2, 3)).reshape(x.shape[0], -1)
        return {"classes": self.head(self.drop(features)), "map": x}


SPEC = """\
network Net {
  input 3x8x8
  conv 8 3x3 same bias=on, bn, relu
  map: concat {
    | slice 0..4
    | slice 4..8, depthwise 3x3 same bias=off, scale_by 2
  }
  output map
  pool avg global
  dropout 0.3
  flatten
  output classes: fc 5
}
"""


def _exported(path: Path, *, open: bool, training: bool = False, core: bool = False) -> Path:
    torch.manual_seed(0)
    module = Net().train(training)
    shapes = ({0: torch.export.Dim("batch")},) if open else None
    program = torch.export.export(module, (torch.randn(2, 3, 8, 8),), dynamic_shapes=shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        torch.export.save(program.run_decompositions() if core else program, path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported(tmp_path_factory.mktemp("pt2") / "net.pt2", open=False)


def _imported(path: Path) -> Imported:
    format = format_of(str(path))
    assert format is not None
    return compared(import_network(Given(str(path)), format))


def test_a_file_becomes_a_spec_with_its_weights(file: Path) -> None:
    imported = _imported(file)
    assert "in 64 bits" in imported.compared
    assert imported.body == SPEC
    weights = state_dict(imported)
    torch.manual_seed(0)
    own = Net().state_dict()
    for key in ("stem.0.weight", "one.weight", "head.bias"):
        assert any(torch.equal(own[key], each) for each in weights.values())


@pytest.mark.slow
@pytest.mark.parametrize("core", [False, True])
def test_any_number_of_images_and_the_training_mode(tmp_path: Path, file: Path, core: bool) -> None:
    other = _imported(_exported(tmp_path / "net.pt2", open=True, training=not core, core=core))
    # torch's standard decompositions leave dropout out.
    words = [each.op.word for each in _imported(file).network.nodes]
    assert [each.op.word for each in other.network.nodes] == [
        word for word in words if word != "dropout" or not core
    ]


def _changed(file: Path, to: Path, member: str, content: bytes) -> Path:
    """The archive with another member in the place of one."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(to, "w") as made:
        for name in archive.namelist():
            found = name.endswith(member)
            made.writestr(name, content if found else archive.read(name))
    return to


def _model(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        name = next(each for each in archive.namelist() if each.endswith("models/model.json"))
        content: dict[str, Any] = json.loads(archive.read(name))
        return content


def test_inputs_that_are_pickled_are_not_opened(file: Path, tmp_path: Path) -> None:
    evil = b"cos\nsystem\n(S'touch opened'\ntR."
    _imported(_changed(file, tmp_path / "evil.pt2", "sample_inputs/model.pt", evil))
    assert not Path("opened").exists()


def _conv(graph: Any) -> Any:
    return next(each for each in graph["nodes"] if "conv2d" in each["target"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda graph: _conv(graph).update(target="torch.ops.aten.from_file.default"),
         "from_file"),
        (lambda graph: _conv(graph).update(target="os.system"), "cannot be"),
        (lambda graph: _conv(graph)["inputs"][1]["arg"]["as_tensor"].update(name="x"),
         "cannot be followed"),
        (lambda graph: graph["nodes"].__setitem__(0, {}), "not as torch.export writes it"),
        (lambda graph: graph["tensor_values"]["x"].update(sizes=[{"as_int": -1}]), "impossible"),
    ],
)  # fmt: skip
def test_graphs_that_are_wrong(file: Path, tmp_path: Path, change: Any, said: str) -> None:
    model = _model(file)
    change(model["graph_module"]["graph"])
    content = json.dumps(model).encode()
    wrong = _changed(file, tmp_path / "wrong.pt2", "models/model.json", content)
    with pytest.raises(SpecError, match=said):
        _imported(wrong)


def test_damaged_files_have_a_diagnostic(file: Path, tmp_path: Path) -> None:
    random = Random(0)
    content = file.read_bytes()
    wrong = tmp_path / "wrong.pt2"
    for _ in range(40):
        at = random.randrange(len(content))
        cut = content[:at]
        flipped = cut + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
        wrong.write_bytes(random.choice([cut, flipped]))
        with suppress(SpecError):
            _imported(wrong)


def test_the_command_writes_both(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run(capfd, "import", str(file), "-o", str(tmp_path / "net.cnn"))
    assert result.code == 0
    assert "weights in" in result.err
    assert (tmp_path / "net.safetensors").exists()
