"""Our safetensors files compared with those of the safetensors library."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save
from torch import Tensor

from dotcnn.dsl.atomic_file import write_whole
from dotcnn.training.checkpoint.tensors_file import bytes_of, pieces

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
]  # fmt: skip


def of_all_kinds() -> dict[str, Tensor]:
    torch.manual_seed(0)
    made = {str(dtype): (torch.randn(3, 5) * 9).to(dtype) for dtype in DTYPES}
    image = torch.randn(2, 3, 4, 5)
    return made | {
        "channels last": image.contiguous(memory_format=torch.channels_last),
        "a part": image[:, 1:, ::2],
        "one number": torch.tensor(3),
        "none": torch.zeros(0, 4),
        "Größe \"1\"": torch.tensor([float("nan"), float("inf"), -0.0]),
    }  # fmt: skip


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    tensors = of_all_kinds()
    file = tmp_path / "file"
    about = {"format": "pt", "classes": '["Ä", "b"]'}
    write_whole(file, *pieces(tensors, about))
    found = load_file(file)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert bytes_of(found[name]) == bytes_of(tensor)
    with safe_open(file, framework="pt") as opened:
        assert opened.metadata() == about


def test_the_same_bytes_as_the_library(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.BatchNorm2d(5))
    state = module.state_dict()
    assert b"".join(pieces(state, {"format": "pt"})) == save(state, {"format": "pt"})
    assert b"".join(pieces(state)) == save(state)


def test_a_file_without_tensors() -> None:
    assert load(b"".join(pieces({}))) == {}


def test_contiguous_tensors_are_not_copied() -> None:
    tensor = torch.zeros(4)
    view = bytes_of(tensor)
    tensor.fill_(1)
    assert view[:] == bytes_of(torch.ones(4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_are_aligned(dtype: torch.dtype) -> None:
    tensors = {"a": torch.zeros(3, dtype=torch.uint8), "b": torch.ones(3, dtype=dtype)}
    data = b"".join(pieces(tensors, {"x": "y" * 5}))
    own = bytes(bytes_of(tensors["b"]))
    assert data.index(own) % tensors["b"].element_size() == 0
