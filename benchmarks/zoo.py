"""Compares parameters and multiply-adds of all specs with published figures; lists their length.

    python benchmarks/zoo.py

The published figures are torchvision's (exact parameters, GMACs to a thousandth) and those of
papers, from tests/specs/published.csv. Parameters are those for inference, without auxiliary heads;
if a published figure includes the heads, the line includes them, too, and says so. `lines` is the
number of lines of a spec without blank lines and comments; `all` includes the files that it
imports. The exit code is 1 if a figure differs.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import NamedTuple

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.dsl.files import read_file
from dotcnn.dsl.program import GALLERY, load_program
from dotcnn.dsl.source import Source
from dotcnn.dsl.syntax import Network

TABLE = Path(__file__).resolve().parent.parent / "tests" / "specs" / "published.csv"


class Row(NamedTuple):
    name: str
    params: int
    macs: int
    lines: int
    all_lines: int
    published: dict[str, str] | None
    note: str

    @property
    def params_off(self) -> int | None:
        return self.params - int(self.published["params"]) if self.published else None

    @property
    def gmacs_off(self) -> float | None:
        """GMACs in thousandths, as printed; None if nothing is published."""
        if not self.published or not self.published["gmacs"]:
            return None
        exact = abs(self.macs - round(float(self.published["gmacs"]) * 1e9)) <= 500_000
        return 0.0 if exact else self.macs / 1e9 - float(self.published["gmacs"])


def main() -> int:
    with TABLE.open(encoding="utf-8", newline="") as file:
        published = {row["model"]: row for row in csv.DictReader(file)}
    found = [row(path, published) for path in sorted(GALLERY.rglob("*.cnn"))]
    rows = [one for one in found if one is not None]
    print(
        f"{'spec':22}{'parameters':>13}{'published':>13}{'off':>5}"
        f"{'GMACs':>11}{'published':>11}{'off':>5}{'lines':>7}{'all':>5}"
    )
    for one in rows:
        given = one.published or {"params": "", "gmacs": ""}
        params = f"{int(given['params']):,}" if given["params"] else ""
        print(
            f"{one.name:22}{one.params:13,}{params:>13}{shown(one.params_off):>5}"
            f"{one.macs / 1e9:11.6f}{given['gmacs']:>11}{shown(one.gmacs_off):>5}"
            f"{one.lines:7}{one.all_lines:5}  {one.note}".rstrip()
        )
    params = [one.params_off for one in rows if one.params_off is not None]
    gmacs = [one.gmacs_off for one in rows if one.gmacs_off is not None]
    print(
        f"\n{len(rows)} specs; parameters equal the published ones in {params.count(0)} of"
        f" {len(params)}, GMACs in {gmacs.count(0)} of {len(gmacs)}"
    )
    missing = sorted(set(published) - {one.name for one in rows})
    if missing:
        print(f"published, but not there: {', '.join(missing)}")
    return 1 if missing or any(params) or any(gmacs) else 0


def row(path: Path, published: dict[str, dict[str, str]]) -> Row | None:
    program = load_program(read_file(path))
    if not any(isinstance(statement, Network) for statement in program.main.statements):
        return None
    totals = analyse(elaborate(program)).totals
    given = published.get(path.stem)
    params, note = totals.params, ""
    if given and given["counts"] == "aux":
        params += totals.aux_params
        note = f"{totals.aux_params:,} of them in the auxiliary head"
    elif totals.aux_params:
        note = f"and {totals.aux_params:,} in auxiliary heads"
    own, every = lines(program.main.source), sum(lines(spec.source) for spec in program.files)
    return Row(path.stem, params, totals.macs, own, every, given, note)


def lines(source: Source) -> int:
    return sum(1 for line in source.text.splitlines() if line.split("#", 1)[0].strip())


def shown(off: float | None) -> str:
    if off is None:
        return ""
    return f"{off:+,}" if isinstance(off, int) and off else f"{off:+.3f}" if off else "0"


if __name__ == "__main__":
    sys.exit(main())
