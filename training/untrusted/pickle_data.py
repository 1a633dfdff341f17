"""Reads pickles as plain data: a stack machine for torch's files that runs no foreign code.

torch's own reader (`weights_only=True`) does not run foreign code either, but it trusts the file. A
tuple of two references to a tuple of two references …, 40 deep, has 300 bytes, and hashing it as a
key takes a day; `bytearray(10 ** 11)` is allocated; and a damaged file raises anything from
TypeError to AssertionError. Here, every name in a pickle must be in a fixed table, arguments are
checked, and keys of dicts must be simple; everything else raises BadFile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import IO, Any

from .bad_file import BadFile, damaged, guarded, too_large

MAX_STEPS = 4_000_000
"""The most steps of a pickle. A tensor takes about 25 of them; a network of 1,000 tensors with its
optimizer, about 100,000."""

Function = Callable[..., Any]


class Opaque:
    """A placeholder for an object that is not needed, such as a numpy scalar."""


class Named:
    """A type or a value that a pickle refers to by name."""

    def __init__(self, name: str, function: Function | None) -> None:
        self.name, self.function = name, function


def load_pickle(
    stream: IO[bytes],
    size: int,
    known: Mapping[str, Any],
    stored: Callable[[object], Any] | None = None,
) -> Any:
    """The next value of a stream of `size` bytes; raises BadFile.

    `known` has the allowed names: functions that are called in place of the named ones, and values.
    `stored` returns the storage of a persistent id.
    """
    with guarded("it was not written by torch"):
        return _Machine(stream, size, known, stored).run()


class _Machine:
    def __init__(
        self,
        stream: IO[bytes],
        size: int,
        known: Mapping[str, Any],
        stored: Callable[[object], Any] | None,
    ) -> None:
        self.stream, self.size = stream, size
        self.known, self.stored = known, stored
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        """The stacks below the marks."""
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        read = self.stream.read
        for _ in range(MAX_STEPS):
            code = read(1)
            if code == b".":
                return self.stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise damaged("it was not written by torch")
            step(self)
        raise too_large(f"has more than {MAX_STEPS:,} steps in its pickle")

    def bytes(self, count: int) -> bytes:
        if count > 4096 and count > self.size:
            raise damaged("it is truncated")
        data = self.stream.read(count)
        if len(data) != count:
            raise damaged("it is truncated")
        return data

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.bytes(struct.calcsize(form)))
        return int(value)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """Pops the values since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    # ---- the opcodes ----

    def version(self) -> None:
        """Skips the version of the protocol, which does not change the meaning of opcodes."""
        self.bytes(1)

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def name(self) -> None:
        module, name = (self.stream.readline(200).decode("utf-8").rstrip("\n") for _ in range(2))
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if full not in self.known:
            raise BadFile(
                f"contains a call of {full}, not only weights; it could run code and is not loaded",
                "code",
            )
        self.push(self.known[full])

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Named) or function.function is None:
            raise damaged("it calls an object that is not callable")
        self.push(function.function(*arguments))

    def build(self) -> None:
        """Ignores the attributes of an object, such as the versions in a state dict."""
        self.stack.pop()

    def persistent(self) -> None:
        if self.stored is None:
            raise damaged("it refers to a missing object")
        self.push(self.stored(self.stack.pop()))

    def append(self) -> None:
        item = self.stack.pop()
        _list(self.stack[-1]).append(item)

    def appends(self) -> None:
        items = self.marked()
        _list(self.stack[-1]).extend(items)

    def item(self) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        _dict(self.stack[-1])[key(name)] = value

    def items(self) -> None:
        pairs = self.marked()
        target = _dict(self.stack[-1])
        for at in range(0, len(pairs), 2):
            target[key(pairs[at])] = pairs[at + 1]

    def tuple(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise damaged("it was not written by torch")
        self.stack[-count:] = [items]

    def remember(self, at: int) -> None:
        self.memo[at] = self.stack[-1]

    def long(self, size: int) -> None:
        self.push(int.from_bytes(self.bytes(size), "little", signed=True))


def key(value: Any, depth: int = 2) -> Any:
    """The value if it may be the key of a dict, that is, if it can be hashed in a few steps; raises
    BadFile otherwise."""
    plain = value is None or isinstance(value, str | int | float | bytes | Named)
    if not plain:
        if not isinstance(value, tuple) or len(value) > 16 or not depth:
            raise damaged("it has a dict with an unhashable key")
        for item in value:
            key(item, depth - 1)
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise damaged("it appends to an object that is not a list")
    return value


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict | Opaque):
        raise damaged("it sets items of an object that is not a dict")
    return value if isinstance(value, dict) else {}


_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.version,
    b"(": _Machine.mark,
    b"c": _Machine.name,
    b"R": _Machine.call,
    b"\x81": _Machine.call,  # creates an object, which is the same as a call here
    b"b": _Machine.build,
    b"Q": _Machine.persistent,
    b"a": _Machine.append,
    b"e": _Machine.appends,
    b"s": _Machine.item,
    b"u": _Machine.items,
    b"t": lambda m: m.push(tuple(m.marked())),
    b"\x85": lambda m: m.tuple(1),
    b"\x86": lambda m: m.tuple(2),
    b"\x87": lambda m: m.tuple(3),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b")": lambda m: m.push(()),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"\x8f": lambda m: m.push(set()),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.long(m.number("<B")),
    b"G": lambda m: m.push(struct.unpack(">d", m.bytes(8))[0]),
    b"X": lambda m: m.push(str(m.bytes(m.number("<I")), "utf-8", "surrogatepass")),
    b"U": lambda m: m.push(str(m.bytes(m.number("<B")), "latin1")),  # of Python 2
    b"T": lambda m: m.push(str(m.bytes(m.number("<I")), "latin1")),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
}
"""The opcodes of protocol 2, which torch writes; `pickletools` explains them."""
