"""Files of weights of every kind: what `transfer { from "…" }` and `evaluate --weights` read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

import numpy
import torch
from safetensors.torch import save
from torch import nn

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.read import read_weights
from fuzz.frame import Target, mutated, register, scratch


def reading(ending: str) -> Callable[[bytes], str]:
    """Reads the bytes as a file with such an ending, and tells what came of it."""

    def run(data: bytes) -> str:
        path = scratch() / f"weights{ending}"
        path.write_bytes(data)
        (scratch() / "weights.bin").write_bytes(bytes(24))  # to which models of ONNX refer
        try:
            found = read_weights(path)
        except SpecError as error:
            return str([(d.code, d.message, d.help) for d in error.diagnostics]).replace(
                str(path), path.name
            )
        return str([(name, tensor.shape, tensor.dtype) for name, tensor in found.items()])

    return run


@cache
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def checkpoint() -> dict[str, object]:
    """As training scripts save it."""
    net = network()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    return {
        "state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
        "best": 0.5, "args": {"lr": [0.1, None], "name": "é", "size": torch.Size((1, 2))},
        "half": torch.ones(3).bfloat16(), "view": torch.arange(6)[2:4], "flag": True,
    }  # fmt: skip


def torch_files(old: bool = False) -> Sequence[bytes]:
    found = []
    for content in (network().state_dict(), checkpoint()):
        stream = io.BytesIO()
        torch.save(content, stream, _use_new_zipfile_serialization=not old)
        found.append(stream.getvalue())
    return found


def arrays() -> dict[str, numpy.ndarray]:
    return {name: tensor.numpy() for name, tensor in network().state_dict().items()}


def npz_files() -> Sequence[bytes]:
    found = []
    for write in (numpy.savez, numpy.savez_compressed):
        stream = io.BytesIO()
        write(stream, **arrays())
        found.append(stream.getvalue())
    single = io.BytesIO()
    numpy.save(single, numpy.arange(3))
    return [*found, single.getvalue()]


def safetensors_files() -> Sequence[bytes]:
    state = network().state_dict()
    return [save(state), save(state, {"classes": '["a", "b"]', "epoch": "3"})]


def onnx_files() -> Sequence[bytes]:
    from onnx import helper, numpy_helper

    def model(nodes: Sequence[object], **held: numpy.ndarray) -> bytes:
        tensors = [numpy_helper.from_array(array, name=name) for name, array in held.items()]
        graph = helper.make_graph(nodes, "net", [], [], initializer=tensors)
        return bytes(helper.make_model(graph).SerializeToString())

    weight = numpy.ones((2, 1, 3, 3), numpy.float32)
    matrix = numpy.ones((2, 3), numpy.float32)
    conv = helper.make_node("Conv", ["x", "a", "b"], ["y"], name="conv")
    gemm = helper.make_node("Gemm", ["y", "m"], ["z"], transB=1)
    same = helper.make_node("Identity", ["b"], ["c"])
    external = numpy_helper.from_array(matrix, name="m")
    external.ClearField("raw_data")
    external.data_location = 1
    for key, value in {"location": "weights.bin", "offset": "0", "length": "24"}.items():
        entry = external.external_data.add()
        entry.key, entry.value = key, value
    beside = helper.make_model(helper.make_graph([gemm], "net", [], [], initializer=[external]))
    return [
        model([conv, same, gemm], a=weight, b=weight[:, 0, 0, 0], m=matrix),
        model([], k=numpy.arange(4), h=matrix.astype(numpy.float16)),
        bytes(beside.SerializeToString()),
    ]


# ---- mutations inside of an archive --------------------------------------------------------------


def inside(seeds: Callable[[], Sequence[bytes]], words: Sequence[bytes]) -> Callable[..., bytes]:
    """Mutates a member, and packs the archive again, so that its checksums are right."""

    @cache
    def contents() -> list[dict[str, bytes]]:
        found = []
        for data in seeds():
            if data[:2] == b"PK":
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    found.append({name: archive.read(name) for name in archive.namelist()})
        return found

    def draw(random: Random) -> bytes:
        members = dict(random.choice(contents()))
        for _ in range(random.choice([1, 1, 2, 5])):
            name = random.choice([*members, *(n for n in members if n.endswith(".pkl"))])
            change = random.randrange(10)
            if change == 0:
                del members[name]
            elif change == 1:
                members[random.choice(["a.npy", "a/data/0", "../a.npy", "é", "/"])] = members[name]
            else:
                members[name] = mutated(members[name], [*members.values()], words, random)
            if not members:
                break
        stream = io.BytesIO()
        method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return stream.getvalue()

    return draw


ZIP = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"\xff\xff\xff\xff",
]
NPY = [
    b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00", b"'descr': ", b"'<f4'", b"'|O'", b"'|V0'", b"'<U9'",
    b"'>i2'", b"(2, 3)", b"(1000000000000,)", b"True", b"False", b"(", b")", b"[", b"]", b"{", b"'",
    b"[('a', '<f4')]", b"-1", b"\n",
]  # fmt: skip
PICKLE = [
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n", b"c__builtin__\nset\n",
    b"ctorch\nFloatStorage\n", b"cos\nsystem\n", b"X\x01\0\0\x000", b"X\x07\0\0\0storage", b"(",
    b"t", b"Q", b"R", b"b", b"\x81", b"h\x00", b"q\x00", b"\x86", b"}", b"]", b")", b"K\x01",
    b"e", b"u",
    b"J\xff\xff\xff\x7f", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b".", b"N", b"s", b"a",
    b"ctorch._utils\n_rebuild_tensor_v3\n", b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"ccollections\nCounter\n", b"c_codecs\nencode\n", b"ctorch\nSize\n", b"ctorch\ndevice\n",
]  # fmt: skip
JSON = [
    b"[" * 500, b'{"a":' * 100, b"9" * 5000, b'"dtype":"F32"', b'"BF16"', b'"shape":[1,2]', b"null",
    b'"data_offsets":[0,8]', b'"__metadata__"', b'"classes":"3"', b"1e999", b'"\\ud800"', b"-1",
]  # fmt: skip
PROTOBUF = [
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80" * 20, b"\x0a\x00" * 50,
    b"\x3a\x02\x0a\x00", b"\x08\x01", b"raw_data", b"../weights.bin", b"/dev/zero", b"weights.bin",
    b"transB", b"Identity",
]  # fmt: skip

register(Target("npz", reading(".npz"), npz_files, [*ZIP, *NPY], draw=inside(npz_files, NPY)))
register(
    Target("torch", reading(".pth"), torch_files, [*ZIP, *PICKLE], draw=inside(torch_files, PICKLE))
)
register(Target("old-torch", reading(".th"), lambda: torch_files(old=True), PICKLE))
register(Target("safetensors", reading(".safetensors"), safetensors_files, JSON))
register(Target("onnx", reading(".onnx"), onnx_files, PROTOBUF))
