"""`cnn play`: who is answered, and which file is written."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="the page needs dotcnn[editor]")
pytest.importorskip("websockets", reason="the page needs dotcnn[editor]")

from websockets.datastructures import Headers
from websockets.http11 import Request

from dotcnn.editor.play import serve
from dotcnn.editor.play.own_file import OwnFile
from dotcnn.editor.play.serve import Play

TEXT = "network N { input 3x8x8, conv 8 }\n"


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<head><title>x</title></head>")
    (page / "assets" / "index.js").write_text("1")
    (tmp_path / "secret.js").write_text("2")
    (tmp_path / "net.cnn").write_text(TEXT)
    monkeypatch.setattr(serve, "PAGE", page)
    made = Play(OwnFile(tmp_path / "net.cnn"), print)
    made.port = 8000
    return made


def status(play: Play, path: str, **headers: str) -> int | None:
    """None if a socket opens."""
    given = Headers({"Host": "127.0.0.1:8000", **headers})
    answer = play.answer(None, Request(path, given))  # type: ignore[arg-type]
    return None if answer is None else answer.status_code


def test_the_page_is_for_who_has_the_token(play: Play) -> None:
    assert status(play, f"/?token={play.token}") == 200
    assert status(play, "/") == 403
    assert status(play, f"/?token={play.token}x") == 403
    assert status(play, "/assets/index.js") == 200


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1:9000", "localhost", ""])
def test_other_names_of_this_address_are_refused(play: Play, host: str) -> None:
    assert status(play, f"/?token={play.token}", Host=host) == 403
    own = "http://127.0.0.1:8000"
    assert status(play, f"/socket?token={play.token}", Host=host, Origin=own) == 403


def test_the_socket_is_for_the_page_alone(play: Play) -> None:
    socket = f"/socket?token={play.token}"
    assert status(play, socket, Origin="http://127.0.0.1:8000") is None
    assert status(play, socket, Origin="http://evil.example") == 403
    assert status(play, socket) == 403
    assert status(play, "/socket", Origin="http://127.0.0.1:8000") == 403


@pytest.mark.parametrize(
    "path",
    ["/../secret.js", "/assets/../../secret.js", "//etc/passwd", "/assets/%2e%2e/x.js", "/x"],
)
def test_files_of_the_page_alone(play: Play, path: str) -> None:
    assert status(play, path) == 404


def test_what_is_typed_is_written_and_what_others_write_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    file = OwnFile(path)
    assert "network" in file.text, "a new one begins as `cnn new` does"
    assert not path.exists()
    file.write(TEXT)
    assert path.read_text() == TEXT
    assert file.changed_outside() is None
    path.write_text(TEXT.replace("8 }", "16 }"))
    assert file.changed_outside() == TEXT.replace("8 }", "16 }")
    assert file.changed_outside() is None
    path.unlink()
    assert file.changed_outside() is None


def test_no_other_file_is_written(play: Play, tmp_path: Path) -> None:
    from dotcnn.editor.server.document import Document

    session = serve._Session(play)
    other = tmp_path / "other.cnn"
    other.write_text("# mine\n")
    session.changed(Document(other.as_uri(), TEXT))
    assert other.read_text() == "# mine\n"
    assert play.file is not None
    session.changed(Document(play.file.uri, "# typed\n"))
    assert (tmp_path / "net.cnn").read_text() == "# typed\n"
