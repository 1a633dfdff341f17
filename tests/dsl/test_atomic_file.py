"""A file is written whole, or nothing of it is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.dsl.atomic_file import replaceable, written


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    """Also where whoever wrote it gave it others."""
    (tmp_path / "usual").touch()
    with written(tmp_path / "a") as file:
        file.write_text("new")
        file.chmod(0o600)
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert {path.name for path in tmp_path.iterdir()} == {"a", "usual"}


def test_what_was_there_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    with written(tmp_path / "a") as file:
        file.write_text("new")
    assert (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt(), ValueError()])
def test_what_was_there_stays_where_anything_goes_wrong(
    error: BaseException, tmp_path: Path
) -> None:
    def fail() -> None:
        with written(tmp_path / "a") as file:
            file.write_text("new")
            file.with_name("a.data").write_text("more")
            raise error

    (tmp_path / "a").write_text("old")
    with pytest.raises(type(error)):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_goes_with_it_comes_along(tmp_path: Path) -> None:
    with written(tmp_path / "a") as file:
        file.write_text("one")
        file.with_name("a.data").write_text("two")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "one",
        "a.data": "two",
    }


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    with written(tmp_path / "link") as file:
        file.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_text() == "new"


def test_what_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    """A folder, a device, a file that is read-only, a name in no folder."""
    (tmp_path / "read-only").touch()
    (tmp_path / "read-only").chmod(0o444)
    for path in (tmp_path, Path(os.devnull), tmp_path / "read-only", tmp_path / "no" / "a"):
        with pytest.raises(OSError, match=r"."), written(path):
            pytest.fail(f"{path} was about to be written")
    assert [path.name for path in tmp_path.iterdir()] == ["read-only"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    with written(tmp_path / ("a" * 255)) as file:
        file.write_text("new")
    assert len(list(tmp_path.iterdir())) == 1


_KILLED = """
import os, signal
from dotcnn.dsl.atomic_file import written

with written("a") as file:
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_there_stays_where_the_process_is_killed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    process = subprocess.run([sys.executable, "-c", _KILLED], cwd=tmp_path, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "old"


def test_what_may_be_replaced(tmp_path: Path) -> None:
    """What is not there, what is empty, and what holds the mark."""
    mark = re.compile(rb"\A# ours")
    file = tmp_path / "a"
    assert replaceable(file, mark)
    for content, may in ((b"", True), (b"# ours\n", True), (b"\n# ours", False), (b"x", False)):
        file.write_bytes(content)
        assert replaceable(file, mark) == may
    assert replaceable(tmp_path, mark)  # of which `written` says that it is a folder
