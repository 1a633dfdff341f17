"""`log csv tensorboard`: files of figures beside the run."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dotcnn.training.display.choose import callback_for
from dotcnn.training.display.csv_file import CsvFile
from dotcnn.training.display.events import crc32c
from dotcnn.training.display.tensorboard import TensorBoard

from .events import a_plan, record, start, whole_run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_plan_that_says_so_gets_both(tmp_path: Path) -> None:
    whole_run(callback_for(io.StringIO(), color=False, plan=a_plan()), tmp_path)
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2", "3"]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_row_has_all_figures(tmp_path: Path) -> None:
    log = CsvFile()
    log.started(start(tmp_path))
    log.epoch(record(1, 0.25, 0.875, best=True))
    assert rows(tmp_path) == [
        {
            "epoch": "1",
            "steps": "10",
            "lr": "0.05",
            "train_loss": "0.25",
            "val_loss": str(0.25 * 1.1),
            "val_top1": "0.875",
            "val_top5": "0.99",
            "best": "1",
            "seconds": "2.0",
            "images_per_second": "6400.0",
            "waiting": "0.0",
        }
    ]


def test_epochs_that_are_learned_again_are_written_once(tmp_path: Path) -> None:
    """A run that was killed goes on from its last checkpoint, which may be older than its rows; and
    the last row may have been cut short."""
    first, second = CsvFile(), CsvFile()
    first.started(start(tmp_path))
    for epoch in (1, 2, 3):
        first.epoch(record(epoch, 9.0))
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4,4")
    second.started(start(tmp_path))
    for epoch in (3, 4):
        second.epoch(record(epoch, 5.0))
    found = [(row["epoch"], row["train_loss"]) for row in rows(tmp_path)]
    assert found == [("1", "9.0"), ("2", "9.0"), ("3", "5.0"), ("4", "5.0")]


# ---- TensorBoard -------------------------------------------------------------------------------


def test_the_checksum_is_castagnolis() -> None:
    """Vectors of RFC 3720, B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


def test_the_file_says_what_happened(tmp_path: Path) -> None:
    log = TensorBoard()
    log.started(start(tmp_path))
    log.epoch(record(1, 0.25, 0.875))
    log.epoch(record(2, 0.125, 0.9375))
    (path,) = (tmp_path / "tensorboard").iterdir()
    version, *events = [fields(data) for data in records(path.read_bytes())]
    assert version[3] == [b"brain.Event:2"]
    assert [event[2] for event in events] == [[1], [2]]
    assert figures(events[0])["loss/train"] == 0.25
    assert figures(events[1])["top1/val"] == 0.9375
    assert figures(events[1])["lr"] == pytest.approx(0.05)


def test_a_resumed_run_takes_back_what_it_learns_again(tmp_path: Path) -> None:
    log = TensorBoard()
    log.started(start(tmp_path))
    log.epoch(record(5))
    (path,) = (tmp_path / "tensorboard").iterdir()
    _, again, _ = [fields(data) for data in records(path.read_bytes())]
    assert again[2] == [5]
    assert fields(again[7][0])[1] == [1], "SessionLog.START"


def records(data: bytes) -> Iterator[bytes]:
    """As TensorFlow's record reader reads them, checksums and all."""
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert data[8:12] == masked(data[:8])
        body, end = data[12 : 12 + length], data[12 + length : 16 + length]
        assert len(body) == length
        assert end == masked(body)
        yield body
        data = data[16 + length :]


def masked(data: bytes) -> bytes:
    value = crc32c(data)
    return (((value >> 15 | value << 17) + 0xA282EAD8) % 2**32).to_bytes(4, "little")


def fields(data: bytes) -> dict[int, list[Any]]:
    """A message of protobuf, by the number of the field."""
    found: dict[int, list[Any]] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        key = varint()
        kind = key & 7
        value: Any
        if kind == 0:
            value = varint()
        elif kind == 2:
            length = varint()
            value = data[place : place + length]
            place += length
        else:
            size, code = {1: (8, "<d"), 5: (4, "<f")}[kind]
            (value,) = struct.unpack(code, data[place : place + size])
            place += size
        found.setdefault(key >> 3, []).append(value)
    return found


def figures(event: dict[int, list[Any]]) -> dict[str, float]:
    (summary,) = event[5]
    values = [fields(value) for value in fields(summary)[1]]
    return {value[1][0].decode(): value[2][0] for value in values}
