"""Only regular files of bounded size; JSON of bounded depth and expected form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dotcnn.training.untrusted.bad_file import BadFile
from dotcnn.training.untrusted.json_text import Optional, finite, load_json, misfit, natural
from dotcnn.training.untrusted.open_file import read_bytes, read_text


def told(path: Path, most: int = 100) -> str:
    with pytest.raises(BadFile) as caught:
        read_text(path, most)
    return str(caught.value)


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    """A pipe is not waited for; a device, also behind a link, is not read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    assert told(tmp_path / "pipe") == "is a named pipe, not a file"
    assert told(tmp_path / "link") == "is a device, not a file"
    assert told(tmp_path) == "is a folder, not a file"
    assert told(tmp_path / "none") == "does not exist"
    assert "cannot be read: " in told(tmp_path / "loop")
    assert told(tmp_path / "a\0b") == "is not a valid file name"
    assert "cannot be read: " in told(tmp_path / ("a" * 300))


def test_the_size_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 100)
    assert read_bytes(tmp_path / "a", 100) == b"a" * 100
    assert "has 100 bytes" in told(tmp_path / "a", 99)


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc\xff")
    assert told(tmp_path / "a") == "is damaged: its byte 3 is not UTF-8"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1 is not JSON"),
        ("\n[1,\n", "line 3 is not JSON"),
        ("[" * 100_000, "nested more than"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested more than"),
        ("1" * 5000, "too many digits"),
    ],
)
def test_json_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(BadFile, match=words):
        load_json(text)


FORM = {
    "epoch": natural,
    "best": (None, finite),
    "names": [str],
    "sizes": {str: int},
    "inner": Optional({"a": float}),
}
GOOD: dict[str, Any] = {"epoch": 3, "best": None, "names": ["a"], "sizes": {"a": 1}}


def test_values_that_have_a_form() -> None:
    assert misfit(GOOD, FORM) == ""
    assert misfit({**GOOD, "more": 1, "inner": {"a": 1.0}}, FORM) == ""


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"epoch": -1}, "epoch"),
        ({"epoch": True}, "epoch"),
        ({"epoch": 2**70}, "epoch"),
        ({"best": float("nan")}, "best"),
        ({"names": ["a", 3]}, "names[1]"),
        ({"names": "ab"}, "names"),
        ({"sizes": {"a": True}}, "sizes.a"),
        ({"sizes": {3: 1}}, "sizes"),
        ({"inner": {}}, "inner.a"),
        ({"inner": []}, "inner"),
    ],
)
def test_the_place_of_a_misfit(change: dict[str, Any], place: str) -> None:
    assert misfit({**GOOD, **change}, FORM) == place


def test_what_is_missing() -> None:
    assert misfit({}, FORM) == "epoch"
    assert misfit([], FORM) == "it"
