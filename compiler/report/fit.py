"""The answer of `cnn report --fit 24GB` and `--card "RTX 4090"`: which batch fits there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from ..analysis import Analysis
from ..analysis.memory import Memory
from .explain.network import moment
from .figures import data_size, exact, plural
from .interface import sample_word
from .style import BOLD, Style, wrapped
from .table import title


class Limit(NamedTuple):
    """The memory that a batch has to fit into."""

    memory: int
    words: str
    """`the RTX 4090`."""
    card: str | None = None
    source: str = ""
    """Where the memory of a card is known from."""


class Answer(NamedTuple):
    memory: Memory
    batch: int
    """The largest batch that fits; 0 if none does."""
    asked: int | None
    """The batch asked for."""

    @property
    def fits(self) -> bool | None:
        """Whether the batch asked for fits."""
        return None if self.asked is None else self.asked <= self.batch

    @property
    def needed(self) -> int:
        """The bytes that the largest batch needs; if none fits, those of one image."""
        return self.memory.needed(max(self.batch, 1))


def answer(analysis: Analysis, limit: Limit) -> Answer:
    setting = analysis.setting
    asked = setting.batch if setting.batch_known else None
    return Answer(analysis.memory, analysis.memory.fit(limit.memory), asked)


def fit_json(analyses: Sequence[Analysis], limit: Limit) -> str:
    results = [_fields(analysis, answer(analysis, limit), limit) for analysis in analyses]
    return json.dumps(results[0] if len(results) == 1 else results, indent=2)


def _fields(analysis: Analysis, found: Answer, limit: Limit) -> dict[str, object]:
    setting = analysis.setting
    fields: dict[str, object] = {
        "network": analysis.network.name,
        "file": analysis.network.program.main.source.name,
        "limit": limit.memory,
        "card": limit.card,
        "source": limit.source or None,
        "precision": setting.precision,
        "optimizer": setting.optimizer.name,
        "device": setting.device,
        "batch": found.batch,
        "bytes": found.needed,
        "asked": found.asked,
        "fits": found.fits,
    }
    if setting.device == "cuda":
        fields["gpu"] = found.memory.on_gpu(max(found.batch, 1))._asdict()
    return fields


def fit_text(analysis: Analysis, limit: Limit, style: Style) -> str:
    setting = analysis.setting
    setting = setting._replace(
        from_train=tuple(name for name in setting.from_train if name != "batch")
    )
    found = answer(analysis, limit)
    batch = found.batch
    each = _each(found)
    largest = f"largest batch: {exact(batch)}{each}" if batch else "largest batch: none"
    word = sample_word(analysis.network)
    images = f"{plural(batch, word)} take" if batch else f"one {word} takes"
    needs = f"{images} {data_size(found.needed)}"
    of = f"of {data_size(limit.memory)}, in training with {setting.described}"
    lines = [
        *wrapped(title(analysis), style, code=BOLD),
        *([] if found.asked is None else wrapped(_verdict(found, limit), style, code=BOLD)),
        *wrapped(largest, style, code=BOLD),
        *wrapped(f"{needs} {of}: {moment(analysis, max(batch, 1))}.", style, code=""),
    ]
    if setting.device == "cuda":
        lines += wrapped(_on_gpu(found), style, code="")
    left_out = f"Left out: {analysis.memory.excluded}."
    if limit.source:
        left_out += f" The memory of the {limit.card} is {limit.source}."
    lines += wrapped(left_out, style)
    return "\n".join(lines)


def _each(found: Answer) -> str:
    return " on each GPU" if found.memory.setting.processes > 1 else ""


def _verdict(found: Answer, limit: Limit) -> str:
    assert found.asked is not None
    needed, have = data_size(found.memory.needed(found.asked)), data_size(limit.memory)
    batch = f"a batch of {exact(found.asked)}{_each(found)}"
    if found.fits:
        return f"yes: {batch} fits into {limit.words}: {needed} of {have}"
    if found.memory.setting.device == "cuda" and found.asked > found.memory.largest_batch:
        return f"no: {batch} makes a feature map of 2^31 elements or more"
    if found.memory.needed(found.asked) <= limit.memory:
        return (
            f"no: {batch} needs {needed} of the {have} that {limit.words} has, but torch's"
            " allocator would find no piece of it large enough"
        )
    return f"no: {batch} needs {needed}, and {limit.words} has {have}"


def _on_gpu(found: Answer) -> str:
    """What the figure consists of, and which limit the batch runs into."""
    usage = found.memory.on_gpu(max(found.batch, 1))
    text = (
        f"Of that, {data_size(usage.tensors)} are tensors, {data_size(usage.outside)} are assumed"
        f" for CUDA itself{' and NCCL' if found.memory.setting.processes > 1 else ''}, the rest is"
        " rounding and cuBLAS; torch would reserve"
        f" {data_size(usage.wanted)} of a larger GPU."
    )
    if found.batch == found.memory.largest_batch:
        text += (
            " With more images, a feature map would have 2^31 elements, which torch cannot index."
        )
    return text
