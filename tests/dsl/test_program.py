"""A spec and the files that it imports: what is found, what is refused, what is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dotcnn.dsl import program
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.files import read_file
from dotcnn.dsl.program import Program, load_program
from dotcnn.dsl.source import Source

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files, named with `_` for `/` and `.`: `sub_a=...` is sub/a.cnn; we stand there."""
    monkeypatch.chdir(tmp_path)

    def write_files(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('_', '/')}.cnn"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write_files


def load(name: str = "main.cnn") -> Program:
    return load_program(read_file(Path(name)))


def mistakes(name: str = "main.cnn") -> list[Diagnostic]:
    with pytest.raises(SpecError) as raised:
        load(name)
    return list(raised.value.diagnostics)


def the_mistake(name: str = "main.cnn") -> Diagnostic:
    (found,) = mistakes(name)
    return found


# ---- what is found ----


def test_a_spec_by_itself(write: Write) -> None:
    write(main="network A { relu }")
    found = load()
    assert found.files == (found.main,)
    assert found.imports == {found.main.source: ()}


def test_imports_are_relative_to_the_file_that_they_stand_in(write: Write) -> None:
    write(main='import "sub/a.cnn"', sub_a='import "b.cnn"\nimport "deep/c.cnn"', sub_b="relu")
    write(sub_deep_c='import "../b.cnn"')
    names = [spec.source.name for spec in load().files]
    assert names == ["sub/b.cnn", "sub/deep/c.cnn", "sub/a.cnn", "main.cnn"]


def test_names_are_written_as_whoever_gave_the_spec_would(write: Write) -> None:
    """From where they stand, not from the folder of the spec, nor from the root."""
    folder = write(x_main='import "sub/a.cnn"', x_sub_a="relu")
    assert [spec.source.name for spec in load("x/main.cnn").files] == ["x/sub/a.cnn", "x/main.cnn"]
    whole = str(folder / "x" / "main.cnn")
    assert load(whole).files[0].source.name == str(folder / "x" / "sub" / "a.cnn")


def test_what_two_import_is_read_once(write: Write) -> None:
    """However they write it."""
    write(main='import "a.cnn"\nimport "sub/b.cnn"\nimport "./c.cnn"', a='import "c.cnn"')
    write(sub_b='import "../c.cnn"\nimport "../sub/../c.cnn"', c="relu")
    found = load()
    assert [spec.source.name for spec in found.files] == ["c.cnn", "a.cnn", "sub/b.cnn", "main.cnn"]
    c = found.files[0]
    imported = {source.name: [spec for _, spec in pairs] for source, pairs in found.imports.items()}
    assert imported["sub/b.cnn"] == [c, c]
    assert [spec is c for spec in imported["main.cnn"]] == [False, False, True]


def test_a_link_to_a_file_below_is_that_file(write: Write) -> None:
    folder = write(main='import "a.cnn"\nimport "link.cnn"', a="relu")
    (folder / "link.cnn").symlink_to("a.cnn")
    assert len(load().files) == 2


def test_a_spec_that_is_a_link_imports_from_where_it_really_lies(write: Write) -> None:
    folder = write(real_main='import "a.cnn"', real_a="relu")
    (folder / "main.cnn").symlink_to("real/main.cnn")
    assert len(load().files) == 2


def test_text_without_a_file_imports_from_here(write: Write) -> None:
    write(a="relu")
    found = load_program(Source("<stdin>", 'import "a.cnn"'))
    assert [spec.source.name for spec in found.files] == ["a.cnn", "<stdin>"]


def test_what_is_not_there_may_be_in_the_gallery(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside the spec comes first; the gallery's own imports stay in the gallery."""
    folder = write(main='import "kit/a.cnn"', gallery_kit_a='import "b.cnn"', gallery_kit_b="relu")
    monkeypatch.setattr(program, "GALLERY", folder / "gallery")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "main.cnn").write_text('import "kit/a.cnn"')
    found = load("elsewhere/main.cnn")
    assert [Path(spec.source.name).name for spec in found.files] == ["b.cnn", "a.cnn", "main.cnn"]
    write(elsewhere_kit_a="bn")
    assert len(load("elsewhere/main.cnn").files) == 2


def test_a_spec_of_the_gallery_reaches_all_of_it(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(gallery_x_main='import "../y/a.cnn"', gallery_y_a="relu", secret="relu")
    monkeypatch.setattr(program, "GALLERY", folder / "gallery")
    assert len(load("gallery/x/main.cnn").files) == 2
    write(gallery_x_main='import "../../secret.cnn"')
    assert the_mistake("gallery/x/main.cnn").code == "import-outside"


def test_warnings_of_all_files_come_along(write: Write) -> None:
    write(main='import "a.cnn"\n\trelu', a="\tbn")
    assert [(it.code, it.where) for it in load().warnings] == [
        ("tab", "main.cnn"),
        ("tab", "a.cnn"),
    ]


# ---- what is refused ----


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/etc/passwd.cnn", "~/a.cnn", "~root/a.cnn", "C:/a.cnn", "C:a.cnn"),
        *("../a.cnn", "../../x", "../../../../../../etc/passwd", "sub/../../a.cnn", ".."),
        *("sub/../../inside/../../a.cnn", "//host/share/a.cnn"),
    ],
)
def test_nothing_outside_of_the_spec_s_folder_is_read(path: str, write: Write) -> None:
    folder = write(a="relu", inside_main=f'import "{path}"')
    (folder / "x").write_text("relu")
    found = the_mistake("inside/main.cnn")
    assert found.code == "import-outside"
    assert found.span is not None
    assert found.span.text == f'"{path}"'


@pytest.mark.parametrize("target", ["../a.cnn", "/etc/passwd", "/dev/zero", "../missing.cnn", "/"])
def test_neither_through_a_link(target: str, write: Write) -> None:
    """Whether it is there or not: that is nobody's business either."""
    folder = write(a="relu", inside_main='import "link.cnn"')
    (folder / "inside" / "link.cnn").symlink_to(target)
    assert the_mistake("inside/main.cnn").code == "import-outside"


def test_nor_through_a_folder_that_is_a_link(write: Write) -> None:
    folder = write(other_a="relu", inside_main='import "link/a.cnn"')
    (folder / "inside" / "link").symlink_to("../other")
    assert the_mistake("inside/main.cnn").code == "import-outside"


def test_an_imported_file_may_reach_no_further(write: Write) -> None:
    """What holds is the folder of the main spec, not that of the importing file."""
    write(a="relu", inside_main='import "sub/b.cnn"', inside_sub_b='import "../../a.cnn"')
    found = the_mistake("inside/main.cnn")
    assert (found.code, found.where) == ("import-outside", "inside/sub/b.cnn")


@pytest.mark.parametrize("path", ["a", "a.txt", "a.cnn/", "a.CNN", "a.cnn ", "main"])
def test_only_specs_are_imported(path: str, write: Write) -> None:
    folder = write(main=f'import "{path}"', a="relu")
    (folder / "a.txt").write_text("relu")
    assert the_mistake().code == "import-path"


@pytest.mark.parametrize("path", ["", " ", "a\\\\b.cnn", "a\\u0000.cnn", "a\\n.cnn", "\\ud800.cnn"])
def test_what_is_no_path(path: str, write: Write) -> None:
    write(main=f'import "{path}"')
    assert the_mistake().code == "import-path"


@pytest.mark.parametrize(
    "path", ["nope.cnn", "sub/nope.cnn", "a" * 5000 + ".cnn", "a/" * 3000 + "b.cnn"]
)
def test_a_missing_file_says_where_it_was_looked_for(path: str, write: Write) -> None:
    write(main=f'import "{path}"')
    found = the_mistake()
    assert found.code == "no-such-file"
    assert [note.split()[0] for note in found.notes] == ["looked", "looked"]
    assert len(found.message) < 300


def test_a_missing_file_may_be_misspelt(write: Write) -> None:
    write(main='import "sub/resnet_block.cnn"', sub_resnet_blocks="relu", pipe="relu")
    # The fixture writes `/` for `_`.
    os.makedirs("sub", exist_ok=True)
    Path("sub/resnet-blocks.cnn").write_text("relu")
    assert '`"sub/resnet-blocks.cnn"`' in the_mistake().help
    write(main='import "nope.cnn"')
    assert the_mistake().help == ""


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_files_are_imported(kind: str, write: Write) -> None:
    """At the import that asked for it."""
    folder = write(main='import "x.cnn"')
    if kind == "folder":
        (folder / "x.cnn").mkdir()
    else:
        os.mkfifo(folder / "x.cnn")
    found = the_mistake()
    assert (found.code, found.where) == ("not-a-file", "main.cnn")
    assert found.span is not None


@pytest.mark.parametrize(
    ("files", "cycle"),
    [
        ({"main": 'import "main.cnn"'}, "main.cnn -> main.cnn"),
        ({"main": 'import "a.cnn"', "a": 'import "main.cnn"'}, "main.cnn -> a.cnn -> main.cnn"),
        (
            {"main": 'import "a.cnn"', "a": 'import "b.cnn"', "b": 'import "./a.cnn"'},
            "a.cnn -> b.cnn -> a.cnn",
        ),
    ],
)
def test_a_cycle_is_shown(files: dict[str, str], cycle: str, write: Write) -> None:
    write(**files)
    found = the_mistake()
    assert found.code == "import-cycle"
    assert found.notes == (cycle,)


def test_long_chains_and_many_files_end(write: Write) -> None:
    write(main='import "c0.cnn"', **{f"c{n}": f'import "c{n + 1}.cnn"' for n in range(60)})
    assert the_mistake().code == "limit"
    write(main="\n".join(f'import "w{n}.cnn"' for n in range(250)))
    write(**{f"w{n}": "relu" for n in range(250)})
    assert {it.code for it in mistakes()} == {"limit"}


def test_all_imports_together_have_a_size(write: Write) -> None:
    """A hundred files of a megabyte would take minutes, each of which is allowed by itself."""
    long = "#" * 70 + "\n"
    write(main="\n".join(f'import "w{n}.cnn"' for n in range(20)))
    write(**{f"w{n}": long * 2000 for n in range(20)})
    assert {it.code for it in mistakes()} == {"limit"}


# ---- mistakes in imported files ----


def test_the_mistakes_of_all_files_are_told_once(write: Write) -> None:
    """A file that several import, too; each in its own place."""
    write(main='import "a.cnn"\nimport "b.cnn"\nimport "a.cnn"', a='import "b.cnn"\nconv(3)')
    write(b="conv(4)\nlet = 3")
    found = mistakes()
    assert [(it.where, it.code) for it in found] == [
        ("a.cnn", "python-call"),
        ("b.cnn", "python-call"),
        ("b.cnn", "let"),
    ]


def test_an_imported_file_that_is_not_text(write: Write) -> None:
    folder = write(main='import "a.cnn"')
    (folder / "a.cnn").write_bytes(b"conv \xff")
    assert (the_mistake().code, the_mistake().where) == ("encoding", "a.cnn")


def test_one_refusal_does_not_hide_another(write: Write) -> None:
    write(main='import "../a.cnn"\nimport "nope.cnn"\nimport "b.cnn"', b="conv(3)")
    assert sorted(it.code for it in mistakes()) == ["import-outside", "no-such-file", "python-call"]
