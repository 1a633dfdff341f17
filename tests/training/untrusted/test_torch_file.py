"""Files of `torch.save` as plain data; no code is run, and zip bombs are refused."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn

from dotcnn.training.untrusted.bad_file import BadFile
from dotcnn.training.untrusted.safetensors_file import about_safetensors
from dotcnn.training.untrusted.torch_file import read_torch

OLD = {"_use_new_zipfile_serialization": False}
BOTH = pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "old"])


def back(content: object, path: Path, **options: Any) -> Any:
    torch.save(content, path / "a.pt", **options)
    return read_torch(path / "a.pt")


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        bits = one.detach().contiguous().reshape(-1).view(torch.uint8)
        others = other.detach().contiguous().reshape(-1).view(torch.uint8)
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(bits, others)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@BOTH
def test_the_contents_of_checkpoints(options: Any, tmp_path: Path) -> None:
    """As torch's own reader has it."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1, betas=(0.8, 0.99))
    network[2](torch.ones(1, 4)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    content = {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "parameter": nn.Parameter(torch.ones(2)),
        "epoch": 2**40, "text": "é", "none": None, "flags": [True, False], "bytes": b"\xff\x00",
        "set": {1, 2}, "complex": 1j, "size": torch.Size((2, 3)),
        "counts": collections.Counter("aab"), "kind": torch.float16, "negative": -(2**70),
        "float": 1e-300,
        "tuple": ((), (1,), (1, 2, 3, 4)), 3: bytearray(b"ab"),
    }  # fmt: skip
    found = back(content, tmp_path, **options)
    expected = torch.load(tmp_path / "a.pt", weights_only=True)
    assert found.keys() == expected.keys()
    for name in content:
        assert same(expected[name], found[name]), name


@BOTH
@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 4).t(),
        torch.randn(5)[1:3],
        torch.tensor(3.5),
        torch.zeros(0, 3),
        torch.ones(1).expand(3, 4),
        torch.randn(3, dtype=torch.float64),
        torch.randn(3).half(),
        torch.randn(3).bfloat16(),
        torch.arange(3),
        torch.tensor([True, False]),
        torch.randn(3, dtype=torch.complex64),
        torch.randint(0, 9, (2, 3), dtype=torch.int16),
    ],
    ids=lambda tensor: f"{tuple(tensor.shape)}-{tensor.dtype}",
)
def test_tensors_of_every_layout(options: Any, tensor: torch.Tensor, tmp_path: Path) -> None:
    assert same(tensor, back(tensor, tmp_path, **options))


def test_kinds_of_numbers_that_are_newer(tmp_path: Path) -> None:
    for dtype in (torch.float8_e4m3fn, torch.uint16):
        assert same(torch.ones(3).to(dtype), back(torch.ones(3).to(dtype), tmp_path))


@BOTH
def test_tensors_that_share_numbers_still_do(options: Any, tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    found = back({"whole": whole, "part": whole[2:4]}, tmp_path, **options)
    found["whole"][2] = 9
    assert found["part"].tolist() == [9, 3]


def test_an_archive_that_was_packed_again(tmp_path: Path) -> None:
    """With compression, and with the numbers of a machine of the other byte order."""
    torch.save({"a": torch.arange(4.0)}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as old,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data/0"):
                data = numpy.frombuffer(data, "<f4").byteswap().tobytes()
            new.writestr(name, b"big" if name.endswith("byteorder") else data)
    found: Any = read_torch(tmp_path / "b.pt")
    assert found["a"].tolist() == [0, 1, 2, 3]


def test_numpy_scalars_are_ignored(tmp_path: Path) -> None:
    """Training scripts save their accuracy so."""
    found = back({"best": numpy.float64(0.5), "a": torch.ones(1)}, tmp_path)
    assert found["a"].tolist() == [1]


# ---- made to harm ------------------------------------------------------------------------------


def told(path: Path) -> BadFile:
    with pytest.raises(BadFile) as caught:
        read_torch(path)
    return caught.value


def as_archive(path: Path, data: bytes, **members: bytes) -> Path:
    """An archive as torch writes it, of a pickle that torch would never write."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"archive/data/{name.strip('_')}", content)
    return path


def tensor(offset: int = 0, size: Any = (2,), stride: Any = (1,), count: int = 2) -> bytes:
    """The pickle of a tensor of floats in the storage `0`."""
    identity = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"
    numbers = [pickle.dumps(each, 2)[2:-1] for each in (count, offset, size, stride)]
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + identity + numbers[0] + b"tQ" + b"".join(numbers[1:])
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def test_a_tensor_by_hand(tmp_path: Path) -> None:
    found: Any = read_torch(as_archive(tmp_path / "a.pt", tensor(), _0=struct.pack("<2f", 1, 2)))
    assert found.tolist() == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        tensor(offset=1),
        tensor(size=(3,)),
        tensor(stride=(5,)),
        tensor(stride=(-1,)),
        tensor(size=(2**40,), stride=(0,)),
        tensor(size=(2**62, 2**62), stride=(0, 0)),
        tensor(size=(1,) * 99, stride=(1,) * 99),
        tensor(size=(2, 2)),
        tensor(count=3),
        tensor(count=2**40),
        tensor(count=-1),
        tensor(size="ab"),
        tensor().replace(b"FloatStorage", b"QInt8Storage"),
        tensor().replace(b"X\x01\0\0\x000", b"X\x01\0\0\x001"),
    ],
)
def test_a_tensor_that_is_not_in_the_file(data: bytes, tmp_path: Path) -> None:
    told(as_archive(tmp_path / "a.pt", data, _0=struct.pack("<2f", 1, 2)))


def test_keys_that_would_hash_for_days(tmp_path: Path) -> None:
    """A tuple of twice the same tuple, sixty times over, as the key of a dict and in a set."""
    pairs = b"".join(b"q\x00h\x00\x86" for _ in range(60))
    for data in (
        b"\x80\x02})" + pairs + b"Ns.",
        b"\x80\x02c__builtin__\nset\n])" + pairs + b"a\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n])" + pairs + b"N\x86a\x85R.",
    ):
        assert told(as_archive(tmp_path / "a.pt", data)).kind == "damaged"


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\x10\x85R.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02" + b"(" * 50,
        b"\x80\x02ctorch\nFloatStorage\n\x8a\x05\0\0\0\0\x10\x85R.",
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00Nh\x00)t.",
        b".",
        b"e",
        b"\x80\x02Nb.",
        b"",
    ],
)
def test_invalid_pickles(data: bytes, tmp_path: Path) -> None:
    path = as_archive(tmp_path / "a.pt", data)
    try:
        read_torch(path)
    except BadFile as error:
        assert error.kind == "damaged"  # noqa: PT017


def test_a_dict_within_itself(tmp_path: Path) -> None:
    found: Any = read_torch(as_archive(tmp_path / "a.pt", b"\x80\x02}q\x00X\x05\0\0\0modelh\x00s."))
    assert found["model"] is found


def test_the_message_names_the_call(tmp_path: Path) -> None:
    error = told(as_archive(tmp_path / "a.pt", b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."))
    assert (error.kind, "os.system" in str(error)) == ("code", True)


def test_a_bomb_of_zeros(tmp_path: Path) -> None:
    """Half a megabyte that would unpack to half a gigabyte."""
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in members.items():
            new.writestr(name, data)
        with new.open("a/data/more", "w", force_zip64=True) as stream:
            for _ in range(128):
                stream.write(bytes(2**22))
    assert told(tmp_path / "b.pt").kind == "limit"


def test_pickles_before_torch_1_6_that_claim_more_than_there_is(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.ones(300)}, stream, **OLD)  # type: ignore[arg-type]
    data = stream.getvalue()
    assert data.count(b"M,\x01") == 2
    (tmp_path / "a.pt").write_bytes(data.replace(b"M,\x01", b"J\xff\xff\xff\x7f"))
    assert told(tmp_path / "a.pt").kind == "damaged"


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_pointer_of_git_lfs_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(BadFile, match="git lfs pull"):
        (read_torch if name.endswith(".pt") else about_safetensors)(tmp_path / name)
