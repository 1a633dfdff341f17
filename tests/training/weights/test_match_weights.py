"""Files of weights: what is read, and what is said of files that cannot be. Nothing is ever run."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.weights.read import read_weights

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


def as_numpy(path: Path, weights: dict[str, Tensor]) -> None:
    numpy.savez(path, **{key: tensor.numpy() for key, tensor in weights.items()})


def as_big_endian(path: Path, weights: dict[str, Tensor]) -> None:
    numpy.savez(path, **{key: tensor.numpy().astype(">f4") for key, tensor in weights.items()})


def as_checkpoint(path: Path, weights: dict[str, Tensor]) -> None:
    """As training scripts save it, from a module on several devices."""
    prefixed = {f"module.{key}": tensor for key, tensor in weights.items()}
    torch.save({"epoch": 3, "state_dict": prefixed, "optimizer": {"lr": 0.1}}, path)


def as_old(path: Path, weights: dict[str, Tensor]) -> None:
    torch.save(weights, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("net.safetensors", lambda path, weights: save_file(weights, path)),
        ("net.pt", lambda path, weights: torch.save(weights, path)),
        ("net.th", as_checkpoint),
        ("net.pth", as_old),
        ("net.npz", as_numpy),
        ("net.npz", as_big_endian),
        ("NET.PT", lambda path, weights: torch.save(weights, path)),
    ],
)
def test_each_kind_of_file(
    name: str, write: Callable[[Path, dict[str, Tensor]], None], tmp_path: Path
) -> None:
    write(tmp_path / name, WEIGHTS)
    found = read_weights(tmp_path / name)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in WEIGHTS.items())


def told(path: Path) -> Diagnostic:
    with pytest.raises(SpecError) as error:
        read_weights(path)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.file == str(path)
    return diagnostic


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "resnet.safetensors")
    missing = told(tmp_path / "resent.safetensors")
    assert missing.code == "no-such-file"
    assert f"did you mean {tmp_path / 'resnet.safetensors'}?" in missing.help
    (tmp_path / "folder.pt").mkdir()
    assert told(tmp_path / "folder.pt").code == "not-a-file"
    (tmp_path / "notes.txt").write_text("3")
    other = told(tmp_path / "notes.txt")
    assert other.code == "weights-kind"
    assert ".safetensors" in other.help


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net.npz", "old.pth"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short(name: str, share: float, tmp_path: Path) -> None:
    """Wherever it ends."""
    path = tmp_path / name
    more = {"conv.weight": torch.randn(40, 40)}
    if name.endswith(".safetensors"):
        save_file(more, path)
    elif name.endswith(".npz"):
        as_numpy(path, more)
    else:
        torch.save(more, path, _use_new_zipfile_serialization=name != "old.pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    diagnostic = told(path)
    assert diagnostic.code == "weights-damaged"
    assert "download it again" in diagnostic.help


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net.npz"])
def test_a_file_of_something_else(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"<!doctype html><html><title>404 Not Found</title></html>" * 9)
    assert told(tmp_path / name).code == "weights-damaged"


class Hostile:
    """Unpickled, it would put down a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (open, (str(self.mark), "w"))


def test_what_a_file_would_run_is_not_run(tmp_path: Path) -> None:
    """Of torch's own, an archive of numpy's with objects, a pickle that torch has not written."""
    mark = tmp_path / "mark"
    torch.save({"weight": Hostile(mark)}, tmp_path / "zip.pt")
    torch.save({"a": Hostile(mark)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Hostile(mark)))
    numpy.savez(tmp_path / "net.npz", weight=numpy.array([Hostile(mark)], dtype=object))
    assert told(tmp_path / "bare.pt").code == "weights-damaged"
    for name in ("zip.pt", "old.pt", "net.npz"):
        diagnostic = told(tmp_path / name)
        assert diagnostic.code == "weights-code", name
        assert "not loaded" in diagnostic.message
    assert not mark.exists()
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    whole_module = told(tmp_path / "module.pt")
    assert whole_module.code == "weights-code"
    assert "state_dict()" in whole_module.help


def test_a_file_without_weights(tmp_path: Path) -> None:
    for number, content in enumerate([{"epoch": 3}, [1, 2], 7, torch.zeros(3)]):
        path = tmp_path / f"{number}.pt"
        torch.save(content, path)
        assert told(path).code == "no-weights"
    numpy.savez(tmp_path / "words.npz", words=numpy.array(["a", "b"]))
    assert told(tmp_path / "words.npz").code == "weights-kind"
    empty = io.BytesIO()
    numpy.savez(empty)
    (tmp_path / "empty.npz").write_bytes(empty.getvalue())
    assert told(tmp_path / "empty.npz").code == "no-weights"
