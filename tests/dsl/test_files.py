"""Reads the file of a spec: regular files only, of limited size, in UTF-8."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.files import closest_spec, decode, read_file
from dotcnn.dsl.lexer import MAX_CHARACTERS
from dotcnn.dsl.source import Source


def refused(path: Path, name: str = "") -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        read_file(path, name)
    (found,) = raised.value.diagnostics
    return found


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn"
    path.write_bytes("# é字\r\nconv 64\n".encode())
    source = read_file(path, "shown.cnn")
    assert source.text == "# é字\r\nconv 64\n"
    assert (source.name, source.path) == ("shown.cnn", path)
    assert read_file(path).name == str(path)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    """Editors on Windows write one; columns count from behind it."""
    source = decode(b"\xef\xbb\xbfconv 64", "a.cnn")
    assert source.text == "conv 64"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_told_by_their_mark(encoding: str) -> None:
    with pytest.raises(SpecError) as raised:
        decode("conv 64\n".encode(encoding), "a.cnn")
    (found,) = raised.value.diagnostics
    assert (found.code, found.help) == ("encoding", "save it as UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_without_a_mark_they_are_text_full_of_strange_characters(encoding: str) -> None:
    assert "\0" in decode("conv 64\n".encode(encoding), "a.cnn").text


@pytest.mark.parametrize(
    ("data", "line", "column", "byte"),
    [
        (b"\xff", 1, 1, "0xff"),
        (b"conv 64\n  # caf\xe9\nrelu\n", 2, 8, "0xe9"),
        ("# é".encode() + b"\x80", 1, 4, "0x80"),
        (b"\xef\xbb\xbfconv \xc3(", 1, 6, "0xc3"),
        (b"a\r\nb\rc\xf0\x9f", 3, 2, "0xf0"),
        (b"\xed\xa0\x80", 1, 1, "0xed"),
    ],
)
def test_the_first_byte_that_is_not_utf_8_is_shown(
    data: bytes, line: int, column: int, byte: str
) -> None:
    with pytest.raises(SpecError) as raised:
        decode(data, "a.cnn")
    (found,) = raised.value.diagnostics
    assert found.code == "encoding"
    assert byte in found.message
    assert found.span is not None
    assert (found.span.line, found.span.column) == (line, column)
    assert found.span.text == "\N{REPLACEMENT CHARACTER}"


def test_a_missing_file_and_one_that_may_have_been_meant(tmp_path: Path) -> None:
    """Names are compared without the ending that they all have."""
    for name in ("resnet18.cnn", "pipe.cnn", "notes.txt"):
        (tmp_path / name).touch()
    found = refused(tmp_path / "resnet8.cnn")
    assert found.code == "no-such-file"
    assert "resnet18.cnn" in found.help
    assert "resnet18.cnn" in refused(tmp_path / "ResNet18").help
    assert refused(tmp_path / "nope").help == ""
    assert refused(tmp_path / "nope.cnn").help == ""
    assert refused(tmp_path / "missing" / "a.cnn").code == "no-such-file"
    assert refused(tmp_path / "notes").help == ""


@pytest.mark.parametrize(
    ("name", "names", "close"),
    [
        ("nope", ["pipe.cnn"], ""),
        ("nope.cnn", ["pipe.cnn"], ""),
        ("resnet5", ["resnet50.cnn", "vgg16.cnn"], "resnet50.cnn"),
        ("RESNET50.CNN", ["resnet50.cnn"], "resnet50.cnn"),
        ("a", ["b.cnn"], ""),
        ("", ["a.cnn"], ""),
        ("x" * 100_000, ["a.cnn"], ""),
    ],
)
def test_closest_name(name: str, names: list[str], close: str) -> None:
    assert closest_spec(name, names) == close


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    found = refused(tmp_path, "here")
    assert (found.code, found.message) == ("not-a-file", "here is a folder, not a file")
    assert found.where == "here"


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening one to read would wait until somebody writes to it."""
    os.mkfifo(tmp_path / "pipe.cnn")
    found = refused(tmp_path / "pipe.cnn")
    assert found.code == "not-a-file"
    assert "`-`" in found.help


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_not_read(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"there is no {device}")
    assert refused(Path(device)).code in ("not-a-file", "unreadable")


def test_a_socket_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.cnn")
        assert refused(Path("s.cnn")).code in ("not-a-file", "unreadable")


@pytest.mark.parametrize(
    "name", ["a" * 5000, "a/" * 3000 + "b", "a\0b", "\ud800"], ids=["long", "deep", "NUL", "half"]
)
def test_names_that_no_file_has(name: str, tmp_path: Path) -> None:
    found = refused(tmp_path / name, "it")
    assert found.code in ("unreadable", "no-such-file")


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.cnn").symlink_to("b.cnn")
    (tmp_path / "b.cnn").symlink_to("a.cnn")
    assert refused(tmp_path / "a.cnn").code == "unreadable"


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn"
    path.touch(mode=0o000)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    assert refused(path).code == "unreadable"


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    """Its size is enough; a hole of a terabyte takes no room on the disk."""
    path = tmp_path / "a.cnn"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    found = refused(path)
    assert found.code == "limit"
    assert f"{MAX_CHARACTERS:,}" in found.message


def test_a_file_in_place_of_a_file_of_proc() -> None:
    """Some say that they have no bytes, and have."""
    path = Path("/proc/self/status")
    if not path.exists():
        pytest.skip("there is no /proc")
    assert isinstance(read_file(path), Source)
