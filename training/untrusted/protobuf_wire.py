"""The wire format of protocol buffers: the fields of a message, one by one, without knowing what
they mean. Nothing is copied, and nothing is read beyond the message.
"""

from __future__ import annotations

from collections.abc import Iterator

from .bad_file import BadFile, damaged

WRONG = "it is not a message of protocol buffers"


def parts(message: memoryview, wrong: str = WRONG) -> Iterator[tuple[int, memoryview]]:
    """The fields of bytes, which may be messages themselves: the number of each, and its bytes.
    Raises BadFile, for the reason given."""
    return ((field, value) for field, value in fields(message, wrong) if not isinstance(value, int))


def fields(message: memoryview, wrong: str = WRONG) -> Iterator[tuple[int, memoryview | int]]:
    """The fields of bytes and those of whole numbers; others are left out."""
    try:
        yield from _fields(message)
    except (IndexError, BadFile):
        raise damaged(wrong) from None


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
                yield tag >> 3, value
            case 1:
                at += 8
            case 2:
                length, at = _varint(message, at)
                if at + length > end:
                    raise damaged()
                yield tag >> 3, message[at : at + length]
                at += length
            case 5:
                at += 4
            case _:
                raise damaged()
    if at != end:
        raise damaged()


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise damaged()


def varints(packed: memoryview) -> list[int]:
    """Whole numbers one after the other."""
    found: list[int] = []
    at = 0
    try:
        while at < len(packed):
            value, at = _varint(packed, at)
            found.append(value)
    except IndexError:
        raise damaged(WRONG) from None
    return found
