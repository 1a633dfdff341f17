"""Reads files of `torch.save` (.pt, .pth, .th, .ckpt) as plain data and tensors on the CPU.

Both formats are supported: the zip archive with `data.pkl` and a member for each storage, and the
format before torch 1.6, a sequence of pickles followed by the storages. Only containers, numbers,
text and dense tensors are created; see `pickle_data`.
"""

from __future__ import annotations

import io
import mmap
import os
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from .bad_file import BadFile, damaged, guarded, too_large
from .open_file import LFS, open_regular, refuse_pointer, size_of
from .pickle_data import Named, Opaque, key, load_pickle
from .zip_archive import check_sums, open_zip, read_member, start_of

MAX_TENSORS = 100_000
MAX_AXES = 25

_NOT_TORCH = "it was not written by torch"
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two values of a file of the older format."""
_SPREAD = 2**20
"""The bytes by which a tensor may exceed its storage: an expanded tensor repeats values."""


_ALIGNED = 16
"""Tensors may be mapped that start at a multiple of the largest item, a complex number."""


def read_torch(path: Path, *, mapped: bool = False) -> object:
    """The saved object; raises BadFile. `mapped` is for large files that only dotcnn writes: every
    checksum is compared first, and tensors then stay in the file, which is mapped into memory. They
    can be changed, which does not change the file."""
    with open_regular(path) as file:
        start = file.read(len(LFS))
        if not start:
            raise damaged("it is empty")
        refuse_pointer(start)
        file.seek(0)
        return _from_zip(file, mapped) if start[:4] == b"PK\x03\x04" else _from_pickles(file)


# ---- the zip archive ----------------------------------------------------------------------------


def _from_zip(file: BinaryIO, mapped: bool) -> object:
    with open_zip(file) as archive:
        inside = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(inside) != 1:
            raise damaged(_NOT_TORCH)
        folder = inside[0].removesuffix("data.pkl")
        names = set(archive.namelist())
        if f"{folder}constants.pkl" in names:
            raise BadFile(
                "contains a TorchScript program, not only weights; it could run code and is not "
                "loaded",
                "code",
            )
        order = "little"
        if f"{folder}byteorder" in names:
            order = read_member(archive, f"{folder}byteorder", 16).decode("latin1")
        if mapped:
            check_sums(file, archive)
        data = read_member(archive, inside[0])
        storages = _Members(file, archive, f"{folder}data/", order != sys.byteorder, mapped)
        known = _known(size_of(file))
        return load_pickle(io.BytesIO(data), len(data), known, storages)


class _Storage(NamedTuple):
    data: torch.UntypedStorage
    dtype: torch.dtype


class _Members:
    """The storages of an archive, each read or mapped once."""

    def __init__(
        self, file: BinaryIO, archive: zipfile.ZipFile, folder: str, swapped: bool, mapped: bool
    ) -> None:
        self.file, self.archive, self.folder, self.swapped = file, archive, folder, swapped
        # On Windows, a file that is mapped could not be replaced. The memory of storages is that of
        # the map, which is closed with the last of them.
        self.map: mmap.mmap | None = None
        if mapped and not swapped and os.name == "posix":
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self.read: dict[str, torch.UntypedStorage] = {}

    def __call__(self, identity: object) -> _Storage:
        name, dtype, count, _ = _identity(identity)
        if name not in self.read:
            self.read[name] = self._member(f"{self.folder}{name}", dtype, count)
        return _Storage(self.read[name], dtype)

    def _member(self, name: str, dtype: torch.dtype, count: int) -> torch.UntypedStorage:
        try:
            member = self.archive.getinfo(name)
        except KeyError:
            raise damaged(f"{name} is missing in it") from None
        size = count * dtype.itemsize
        if size > member.file_size:
            raise damaged(f"{name} in it has {member.file_size:,} bytes, not {size:,}")
        with guarded(f"{name} in it is broken"):
            if member.compress_type == zipfile.ZIP_STORED:
                start = start_of(self.file, member)
                if self.map is not None and size and start % _ALIGNED == 0:
                    return _mapped(self.map, start, size)
                self.file.seek(start)
                storage = _filled(self.file, size)
            else:
                with self.archive.open(member) as stream:
                    storage = _filled(stream, size)
        if self.swapped:
            storage.byteswap(dtype)  # type: ignore[no-untyped-call]
        return storage


# ---- pickles one after the other -----------------------------------------------------------------


def _from_pickles(file: BinaryIO) -> object:
    size = size_of(file)
    if load_pickle(file, size, {}) != _MAGIC or load_pickle(file, size, {}) != _PROTOCOL:
        raise damaged(_NOT_TORCH)
    load_pickle(file, size, {})  # the number sizes of the machine that wrote it
    storages = _Following(size)
    saved = load_pickle(file, size, _known(size), storages)
    with guarded("it is truncated"):
        storages.fill(file, load_pickle(file, size, {}))
    return saved


class _Following:
    """Storages whose bytes follow the pickles."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.by_name: dict[str, torch.UntypedStorage] = {}
        self.dtypes: dict[str, torch.dtype] = {}

    def __call__(self, identity: object) -> _Storage:
        name, dtype, count, view = _identity(identity)
        if name not in self.by_name:
            size = count * dtype.itemsize
            self.left -= size
            if self.left < 0:
                raise damaged("it is truncated")
            self.by_name[name] = torch.UntypedStorage(size)  # type: ignore[no-untyped-call]
            self.dtypes[name] = dtype
        storage = self.by_name[name]
        if view is not None:  # a part of another storage
            start, length = view
            first, last = start * dtype.itemsize, (start + length) * dtype.itemsize
            if not 0 <= first <= last <= storage.nbytes():
                raise damaged("a tensor in it goes beyond its storage")
            storage = storage[first:last]
        return _Storage(storage, dtype)

    def fill(self, file: BinaryIO, names: object) -> None:
        if not isinstance(names, list) or {*map(str, names)} != {*self.by_name}:
            raise damaged("some of its storages are missing")
        for name in map(str, names):
            storage = self.by_name[name]
            count = int.from_bytes(file.read(8), "little")
            if count * self.dtypes[name].itemsize != storage.nbytes():
                raise damaged("a storage in it has an inconsistent size")
            _read_into(file, storage)


# ---- storages and tensors ------------------------------------------------------------------------


def _identity(identity: object) -> tuple[str, torch.dtype, int, tuple[int, int] | None]:
    """The name, the data type and the length of a storage, and the part of it that is used."""
    match identity:
        case ("storage", Named(name=kind), str() | int() as name, str(), int(count), *rest):
            dtype = _STORAGES.get(kind.rpartition(".")[2])
            if dtype is None:
                message = f"has numbers of an unsupported type ({kind})"
                raise BadFile(message, "kind")
            if count < 0:
                raise damaged("a storage in it has a negative size")
            match rest:
                case [] | [None]:
                    return str(name), dtype, count, None
                case [(_, int(start), int(length))]:
                    return str(name), dtype, count, (start, length)
    raise damaged("it refers to a storage in an unknown way")


def _mapped(file: mmap.mmap, start: int, size: int) -> torch.UntypedStorage:
    return torch.frombuffer(file, dtype=torch.uint8, count=size, offset=start).untyped_storage()


def _filled(stream: Any, size: int) -> torch.UntypedStorage:
    storage = torch.UntypedStorage(size)  # type: ignore[no-untyped-call]
    _read_into(stream, storage)
    return storage


def _read_into(stream: Any, storage: torch.UntypedStorage) -> None:
    """Reads directly into the memory of the storage, which nothing else uses yet."""
    if not storage.nbytes():
        return
    memory = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data
    done = 0
    while done < len(memory):
        count = stream.readinto(memory[done:])
        if not count:
            raise damaged("it is truncated")
        done += count


class _Tensors:
    """Creates the tensors of a file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0

    def strided(self, storage: object, offset: object, size: object, stride: object) -> Tensor:
        if not isinstance(storage, _Storage):
            raise damaged("a tensor in it has no storage")
        return self._tensor(storage, storage.dtype, offset, size, stride)

    def version_2(self, storage: object, offset: object, size: object, stride: object,
                  *more: object) -> Tensor:  # fmt: skip
        return self.strided(storage, offset, size, stride)

    def version_3(self, storage: object, offset: object, size: object, stride: object,
                  grad: object, hooks: object, dtype: object, *more: object) -> Tensor:  # fmt: skip
        if not isinstance(storage, _Storage) or not isinstance(dtype, torch.dtype):
            raise damaged("a tensor in it has no storage")
        return self._tensor(storage, dtype, offset, size, stride)

    def _tensor(
        self, storage: _Storage, dtype: torch.dtype, offset: object, size: object, stride: object
    ) -> Tensor:
        self.count += 1
        if self.count > MAX_TENSORS:
            raise too_large(f"has more than {MAX_TENSORS:,} tensors")
        sizes, strides = _naturals(size), _naturals(stride)
        (start,) = _naturals((offset,))
        if len(sizes) != len(strides):
            raise damaged("a tensor in it has different numbers of strides and sizes")
        numbers = 1
        for one in sizes:
            numbers *= one
        last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
        held = storage.data.nbytes()
        if numbers and (last + 1) * dtype.itemsize > held:
            raise damaged("a tensor in it goes beyond its storage")
        if numbers * dtype.itemsize > held + min(_SPREAD, 1024 * self.size):
            raise too_large(f"has a tensor of {numbers:,} numbers, more than its storage has")
        return torch.empty(0, dtype=dtype).set_(storage.data, start, sizes, strides)


def _naturals(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > MAX_AXES:
        raise damaged("a tensor in it has no shape")
    if not all(type(one) is int and 0 <= one < 2**62 for one in value):
        raise damaged("a tensor in it has an impossible shape")
    return tuple(value)


def _without_values(dtype: object, size: object, stride: object, *more: object) -> Tensor:
    """A tensor on the device `meta`, which has a shape but no values."""
    if not isinstance(dtype, torch.dtype):
        raise damaged("a tensor in it has no data type")
    return torch.empty_strided(_naturals(size), _naturals(stride), dtype=dtype, device="meta")


# ---- the names that a pickle may use -------------------------------------------------------------


_STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool, "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128, "UntypedStorage": torch.uint8,
}  # fmt: skip
_OTHERS = ("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")
"""Storages of quantized numbers."""

_USELESS = (
    "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_nested_tensor", "torch._utils._rebuild_wrapper_subclass",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch.serialization._get_layout",
    "torch.per_tensor_affine", "torch.per_tensor_symmetric", "torch.per_channel_affine",
    "torch.per_channel_symmetric", "torch.per_channel_affine_float_qparams",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype",
)  # fmt: skip
"""Harmless objects that are not weights; they are replaced by placeholders."""


def _known(size: int) -> dict[str, Any]:
    tensors = _Tensors(size)
    functions: Mapping[str, Callable[..., Any]] = {
        "torch._utils._rebuild_tensor": tensors.strided,
        "torch._utils._rebuild_tensor_v2": tensors.version_2,
        "torch._utils._rebuild_tensor_v3": tensors.version_3,
        "torch._utils._rebuild_meta_tensor_no_storage": _without_values,
        "torch._utils._rebuild_parameter": _first,
        "torch._utils._rebuild_parameter_with_state": _first,
        "torch._tensor._rebuild_from_type_v2": _of_a_subclass,
        "torch.nn.parameter.Parameter": _first,
        "torch.Size": lambda sizes=(): tuple(_naturals(sizes)),
        "torch.device": lambda *parts: ":".join(map(str, parts)),
        "collections.OrderedDict": _ordered,
        "collections.Counter": _ordered,
        "_codecs.encode": _encoded,
        "builtins.set": _set,
        "builtins.bytearray": _encoded,
        "builtins.bytes": _encoded,
        "builtins.complex": complex,
        **dict.fromkeys(_USELESS, _opaque),
    }
    storages = {f"torch.{name}": None for name in (*_STORAGES, *_OTHERS)}
    storages |= {f"torch.storage.{name}": None for name in ("UntypedStorage", "TypedStorage")}
    types = {"torch.Tensor": None, "torch._tensor.Tensor": None}
    named = {name: Named(name, what) for name, what in {**functions, **storages, **types}.items()}
    return {**named, **_DTYPES}


_DTYPES = {str(each): each for each in vars(torch).values() if isinstance(each, torch.dtype)}


def _first(data: object, *more: object) -> object:
    return data


def _opaque(*arguments: object) -> Opaque:
    return Opaque()


def _of_a_subclass(rebuild: object, kind: object, arguments: object, state: object) -> object:
    if not isinstance(rebuild, Named) or not isinstance(arguments, tuple) or not rebuild.function:
        raise damaged("a tensor in it is built in an unknown way")
    if rebuild.function is _of_a_subclass:  # it could call itself without end
        raise damaged("a tensor in it is built in an unknown way")
    return rebuild.function(*arguments)


def _ordered(items: object = ()) -> dict[Any, Any]:
    """A dict for an OrderedDict or a Counter."""
    pairs = items.items() if isinstance(items, dict) else items
    if not isinstance(pairs, tuple | list | type({}.items())):
        raise damaged("a dict in it is built in an unknown way")
    return OrderedDict((key(name), value) for name, value in pairs)


def _set(items: object = ()) -> set[Any]:
    if not isinstance(items, tuple | list):
        raise damaged("a set in it is built in an unknown way")
    return {key(item) for item in items}


def _encoded(text: object = "", encoding: object = "latin1") -> bytes:
    """Bytes, which protocol 2 can only store as text."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str) or encoding != "latin1":
        raise damaged("it has bytes in an unknown encoding")
    return text.encode("latin1")
