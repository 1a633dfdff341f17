"""What was computed of a pack is computed once: how it was divided, and the mean of its pixels."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dotcnn.training.data.images import pixel_statistics
from dotcnn.training.data.sources import divide

from ...commands import run
from .packing import KINDS, make_sets, opened, seen


@pytest.fixture
def computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> list[str]:
    """A pack of photographs, one with groups, and what is computed when they are opened."""
    calls: list[str] = []

    def counting(module: Any, name: str) -> None:
        before = getattr(module, name)

        def called(*given: Any, **options: Any) -> Any:
            calls.append(name)
            return before(*given, **options)

        monkeypatch.setattr(module, name, called)

    counting(divide, "drawn")
    counting(pixel_statistics, "each")
    monkeypatch.setattr(divide, "_MANY", 1)
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    make_sets(tmp_path)
    for name, data in (("classes", ["flowers"]), ("groups", [KINDS["groups"].data])):
        result = run(capfd, "pack", *data, "--workers", "1", "-o", f"pack-{name}")
        assert not result.code, result.err
    calls.clear()
    return calls


@pytest.mark.parametrize("name", ["classes", "groups"])
def test_once(name: str, computed: list[str], tmp_path: Path) -> None:
    kind, pack = KINDS[name], f'shards "pack-{name}"'
    wanted = seen(opened(kind, tmp_path))
    computed.clear()
    assert seen(opened(kind, tmp_path, pack)) == wanted
    assert sorted(computed) == ["drawn", "each"]
    computed.clear()
    assert seen(opened(kind, tmp_path, pack)) == wanted
    assert not computed


def test_what_is_damaged_is_computed_again(computed: list[str], tmp_path: Path) -> None:
    kind, pack = KINDS["classes"], 'shards "pack-classes"'
    wanted = seen(opened(kind, tmp_path, pack))
    results = [*(tmp_path / "cache/packs").rglob("results/*")]
    assert {file.suffix for file in results} == {".json", ".npy"}
    for content in (b"", b"{}", b'{"result": [[1], 2]}', results[0].read_bytes()[:-8]):
        for file in results:
            file.write_bytes(content)
        computed.clear()
        assert seen(opened(kind, tmp_path, pack)) == wanted
        assert sorted(computed) == ["drawn", "each"]
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("no folder")
    assert seen(opened(kind, tmp_path, pack)) == wanted


def test_other_splits_are_others(computed: list[str], tmp_path: Path) -> None:
    kind, parts = KINDS["classes"], []
    for more in ("split val=20%", "split val=30%", "split val=20% seed=1"):
        data = opened(kind._replace(more=more), tmp_path, 'shards "pack-classes"')
        parts.append([*data.keys("val")])
        assert sorted(computed) == ["drawn", "each"]
        computed.clear()
    assert len(set(map(tuple, parts))) == 3


def test_packs_without_a_list_of_sizes(computed: list[str], tmp_path: Path) -> None:
    kind, pack = KINDS["classes"], 'shards "pack-classes"'
    before = opened(kind, tmp_path, pack).stores["train"].source.known_sizes  # type: ignore[union-attr]
    (tmp_path / "pack-classes/columns/train.sizes.npy").unlink()
    after = opened(kind, tmp_path, pack).stores["train"].source.known_sizes  # type: ignore[union-attr]
    assert before is not None
    assert len(before) > 9
    assert after.tolist() == before.tolist()  # type: ignore[union-attr]
