"""Damaged .safetensors files are told in words, not in those of the library's JSON parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dotcnn.training.untrusted.bad_file import BadFile
from dotcnn.training.untrusted.safetensors_file import about_safetensors, read_safetensors

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "size", "told"),
    [
        (b"nope", 0, "its header is not JSON"),
        (b"\xff\xfe", 0, "its header is not JSON"),
        (b"{" * 1000, 0, "its header is not JSON"),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, 0, "its header is not JSON"),
        ([1], 0, "its header does not describe tensors"),
        ({"a": {"shape": [2]}}, 0, "`a.dtype` is missing"),
        ({"a": {**TENSOR, "shape": [2.5]}}, 8, "`a.shape[0]` is missing, or not"),
        ({"a": TENSOR, "__metadata__": {"x": 1}}, 8, "`__metadata__.x` is missing, or not"),
        ({"a": TENSOR}, 4, "it is truncated: 4 of the 8 bytes of its tensors are left"),
        ({"a": TENSOR}, 12, "4 bytes follow its last tensor"),
        ({"a": {**TENSOR, "shape": [3]}}, 8, "do not fit its data"),
        ({"a": {**TENSOR, "dtype": "X9"}}, 8, "do not fit its data"),
        ({"a": TENSOR, "b": TENSOR}, 8, "do not fit its data"),
    ],
)
def test_damaged_files(tmp_path: Path, header: Any, size: int, told: str) -> None:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(data).to_bytes(8, "little") + data + bytes(size))
    for read in (read_safetensors, about_safetensors):
        with pytest.raises(BadFile) as caught:
            read(path)
        assert told in str(caught.value)
        assert "line 1 column" not in str(caught.value)


def test_sound_files(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(0, 4), "c": torch.tensor(1)}
    save_file(tensors, path, {"classes": "[]"})
    assert all(torch.equal(read_safetensors(path)[name], tensors[name]) for name in tensors)
    assert about_safetensors(path) == {"classes": "[]"}
    save_file({}, path)
    assert read_safetensors(path) == {}
