"""Runs as other tools see them, each with its own reader."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from PIL import Image

Curves = Mapping[str, list[tuple[int, float]]]


class Logged(NamedTuple):
    """What a tool has of a run."""

    epochs: Curves
    """By epoch: `train/loss`, `val/top1`, `lr`."""
    steps: Curves = MappingProxyType({})
    """By step: `loss`, `lr`."""
    hyperparameters: Mapping[str, Any] = MappingProxyType({})
    images: Mapping[str, Image.Image] = MappingProxyType({})
    state: str = ""
    spec: str = ""
    graph: Any = None
    group: str = ""
    runs: int = 1


def expected(run: Path) -> Curves:
    """What every tool should have by epoch, as metrics.jsonl says."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for part in ("train", "val"):
            for name, value in record[part].items():
                curves[f"{part}/{name}"].append((record["epoch"], value))
        if record["epoch"]:
            curves["lr"].append((record["epoch"], record["lr"]))
    return curves


def of_csv(run: Path) -> Logged:
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value:
                    curves[name.replace("_", "/", 1)].append((int(row["epoch"]), float(value)))
    curves["lr"] = [(epoch, rate) for epoch, rate in curves["lr"] if epoch]
    return Logged(curves)


def of_tensorboard(run: Path) -> Logged:
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    def read(folder: Path) -> Any:
        found = module.EventAccumulator(str(folder), size_guidance=dict.fromkeys(
            ("scalars", "images", "tensors"), 0))  # fmt: skip
        return found.Reload()

    def curves(found: Any) -> dict[str, list[tuple[int, float]]]:
        return {
            "/".join(reversed(tag.split("/"))): [(e.step, e.value) for e in found.Scalars(tag)]
            for tag in found.Tags()["scalars"]
        }

    def hparams(tag: str) -> Any:
        content = found.SummaryMetadata(f"_hparams_/session_{tag}_info").plugin_data.content
        return getattr(HParamsPluginData.FromString(content), f"session_{tag}_info")

    found = read(run / "tensorboard")
    tags = found.Tags()
    ended = "_hparams_/session_end_info" in found.summary_metadata
    return Logged(
        epochs=curves(found),
        steps=curves(read(run / "tensorboard" / "steps")),
        hyperparameters={
            name: value.string_value or value.number_value
            for name, value in hparams("start").hparams.items()
        },
        images={tag: _image(found.Images(tag)[-1].encoded_image_string) for tag in tags["images"]},
        state="finished" if ended else "",
        spec=found.Tensors("spec/text_summary")[0].tensor_proto.string_val[0].decode(),
        graph=found.Graph() if tags["graph"] else None,
    )


def of_mlflow(run: Path, address: str = "") -> Logged:
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.MlflowClient(
        tracking_uri=address or f"sqlite:///{run.absolute()}/mlflow/mlflow.db"
    )
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    (one,) = [each for each in runs if each.data.tags["folder"] == str(run.absolute())]
    identifier = one.info.run_id
    curves = {
        name: [(each.step, each.value) for each in client.get_metric_history(identifier, name)]
        for name in one.data.metrics
    }
    files = Path(client.download_artifacts(identifier, ""))
    return Logged(
        epochs={name: curve for name, curve in curves.items() if not name.startswith("steps/")},
        steps={n.removeprefix("steps/"): c for n, c in curves.items() if n.startswith("steps/")},
        hyperparameters=one.data.params,
        images={
            file.relative_to(files).as_posix(): _image(file.read_bytes())
            for file in files.rglob("*.png")
        },
        state=one.data.tags["state"],
        spec=(files / "spec.cnn").read_text(),
        graph=(files / "network.html").read_text(),
        group=one.data.tags.get("group", ""),
        runs=len(runs),
    )


def of_wandb(run: Path) -> Logged:
    """All offline segments of the run, as `wandb sync` sends them: one after the other."""
    pytest.importorskip("wandb")
    epochs: dict[str, list[tuple[int, float]]] = defaultdict(list)
    steps: dict[str, list[tuple[int, float]]] = defaultdict(list)
    hyperparameters, group, summary, rows = {}, "", {}, []
    identifiers = set()
    for file in sorted((run / "wandb").glob("offline-run-*/run-*.wandb")):
        for record in _records(file.read_bytes()):
            if record.HasField("run"):
                identifiers.add(record.run.run_id)
                group = record.run.run_group
                for item in record.run.config.update:
                    hyperparameters[item.key or "/".join(item.nested_key)] = item.value_json
            if record.HasField("summary"):
                summary |= {item.key or "/".join(item.nested_key): json.loads(item.value_json)
                            for item in record.summary.update}  # fmt: skip
            if record.HasField("history"):
                rows.append(_items(record.history))
    assert [row["_step"] for row in rows] == sorted({row["_step"] for row in rows})
    for row in rows:
        for name, value in row.items():
            if name.startswith("steps/"):
                steps[name.removeprefix("steps/")].append((row["step"], value))
            elif "epoch" in row and not name.startswith("_"):
                epochs[name].append((row["epoch"], value))
    media = run / "wandb"
    specs = [*media.glob("offline-run-*/files/spec.cnn")]
    drawings = [*media.glob("offline-run-*/files/media/html/network_*.html")]
    return Logged(
        epochs=epochs,
        steps=steps,
        hyperparameters={name: json.loads(value) for name, value in hyperparameters.items()},
        images={
            file.name: _image(file.read_bytes())
            for file in media.glob("offline-run-*/files/media/images/*.png")
        },
        state=summary.get("state", ""),
        spec=specs[0].read_text(),
        graph=drawings[0].read_text(),
        group=group,
        runs=len(identifiers),
    )


def _items(history: Any) -> dict[str, Any]:
    return {
        item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in history.item
    }


def _records(data: bytes) -> Iterator[Any]:
    """The records of a .wandb file, which is a log of LevelDB: blocks of 32 KiB with pieces, each
    after its checksum, length and kind (whole, first, middle, last)."""
    from wandb.proto.wandb_internal_pb2 import Record

    assert data[:4] == b":W&B"
    place, parts = 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        if kind == 0:
            break
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def _image(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
