"""The event files of TensorBoard: records with checksums, each a protobuf `Event` of scalars.

Written by hand, so that a training machine needs no TensorBoard (and its grpcio and protobuf): only
whoever looks at the curves does. The format has not changed since 2015: TensorFlow's
record_writer.cc, event.proto and summary.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

_POLYNOMIAL = 0x82F63B78


def _table() -> Iterable[int]:
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        yield value


_TABLE = tuple(_table())


def crc32c(data: bytes) -> int:
    """Castagnoli's."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Its length, that one's checksum, the data, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def version(time: float) -> bytes:
    """The first event of a file."""
    return _time(time) + _bytes(3, b"brain.Event:2")


def restart(time: float, step: int) -> bytes:
    """Events of this step and later ones are superseded."""
    return _time(time) + _number(2, step) + _bytes(7, _number(1, 1))


def figures(time: float, step: int, values: Mapping[str, float]) -> bytes:
    """Names with numbers at a step."""
    each = (
        _bytes(1, _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", value))
        for name, value in values.items()
    )
    return _time(time) + _number(2, step) + _bytes(5, b"".join(each))


# ---- protobuf ----------------------------------------------------------------------------------


def _time(seconds: float) -> bytes:
    return b"\x09" + struct.pack("<d", seconds)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
