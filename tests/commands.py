"""Commands, run as `cnn` runs them: what they print, and their exit codes."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

import pytest

from dotcnn import cli


class Result(NamedTuple):
    code: int
    out: str
    err: str


def run(capfd: pytest.CaptureFixture[str], *arguments: object, stdin: bytes = b"") -> Result:
    """`stdin` are the bytes that the command can read."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    capfd.readouterr()
    try:
        result = Result(cli.main([str(argument) for argument in arguments]), *capfd.readouterr())
    finally:
        sys.stdin = before
    assert "Traceback" not in result.out + result.err
    return result
