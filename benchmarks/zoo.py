"""Compares parameters and multiply-adds of all specs with published figures; lists their length.

    python benchmarks/zoo.py              the gallery, then the networks of timm that it reaches
    python benchmarks/zoo.py timm         these alone, and `timm resnet dla` only some families
    python benchmarks/zoo.py measure      figures of timm's modules, where it is installed, for
                                          names that have none; `measure all`: for all again

The published figures are torchvision's (exact parameters, GMACs to a thousandth) and those of
papers, from tests/specs/published.csv. Parameters are those for inference, without auxiliary heads;
if a published figure includes the heads, the line includes them, too, and says so. `lines` is the
number of lines of a spec without blank lines and comments; `all` includes the files that it
imports. The exit code is 1 if a figure differs.

The networks of timm are listed by family (the file of timm that defines them): how many of their
names a spec has exactly, with the settings that tests/specs/timm_names.txt lists, and which are not
reached. The figures of 347 are in ../shared/reference/timm_convnets.csv; `measure` writes those of
the other names of the table to tests/specs/timm_figures.csv, for which it builds timm's modules, on
the meta device. Where timm is installed, all names of these families count, with or without
figures. Multiply-adds are those that torch.utils.flop_counter counts, half its FLOPs: it also
counts products of two feature maps, as in attention.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.files import read_file
from dotcnn.dsl.program import GALLERY, load_program
from dotcnn.dsl.source import Source
from dotcnn.dsl.syntax import Network
from timm_names import (
    GIVEN,
    MEASURED,
    Figures,
    Reached,
    families,
    figures,
    measure,
    reached,
    read,
    timm,
    write,
)

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


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["timm"]:
        return timm_names(arguments[1:])
    if arguments[:1] == ["measure"]:
        return measure_others(arguments[1:])
    return max(gallery(), timm_names([]))


# ---- networks of timm ---------------------------------------------------------------------------


def timm_names(only: list[str]) -> int:
    """Prints a line for each spec, by family, and the names that none reaches."""
    rows = {row.name: row for row in reached()}
    print(f"\n{'family':20}{'exact':>6}{'of':>4}  {'spec':30}{'names':>6}{'lines':>6}{'all':>5}")
    wrong: list[str] = []
    exact = 0
    known = {**families(), **{name: row.family for name, row in figures().items()}}
    known = {name: each for name, each in known.items() if not only or each in only}
    for family in sorted({*known.values()}):
        names = [name for name, each in known.items() if each == family]
        differ = {name: off for name in names if name in rows if (off := difference(rows[name]))}
        right = [name for name in names if name in rows and name not in differ]
        wrong += [f"{name}: {off}" for name, off in differ.items()]
        exact += len(right)
        first = f"{family:20}{len(right):6}{len(names):4}"
        for spec in sorted({rows[name].spec for name in right}):
            own, every = length(spec)
            reaching = sum(rows[name].spec == spec for name in right)
            print(f"{first}  {spec:30}{reaching:6}{own:6}{every:5}")
            first = " " * 30
        missing = [name for name in names if name not in rows]
        if not right:
            print(first.rstrip())
        if missing:
            print(f"{'':10}not reached: {', '.join(missing)}")
    print(f"\n{exact} of {len(known)} names of timm are reached exactly", *wrong, sep="\n")
    return 1 if wrong else 0


def measure_others(again: list[str]) -> int:
    """Writes the figures of all names of the table that have none; of some, or `all`, again."""
    if timm() is None:
        print("timm is not installed", file=sys.stderr)
        return 1
    given = read(GIVEN)
    known = {} if again == ["all"] else read(MEASURED)
    rows: dict[str, Figures] = {}
    for name in [row.name for row in reached() if row.name not in given]:
        rows[name] = known[name] if name in known and name not in again else measure(name)
    write(rows)
    print(f"{len(rows)} names have figures that were measured")
    return 0


def difference(row: Reached) -> str:
    """What differs from timm, in words; "" if nothing does."""
    expected: Figures | None = figures().get(row.name)
    if expected is None:
        return "its figures are not measured: `python benchmarks/zoo.py measure`"
    try:
        totals = analyse(row.network(expected.input)).totals
    except SpecError as error:
        return str(error.diagnostics[0].message)
    params, macs = totals.params - expected.params, totals.macs - expected.macs
    return f"{params:+,} parameters, {macs:+,} multiply-adds" if params or macs else ""


def length(spec: str) -> tuple[int, int]:
    """Lines of a spec, and with those of the files that it imports."""
    (path,) = GALLERY.rglob(f"{spec}.cnn")
    program = load_program(read_file(path))
    return lines(program.main.source), sum(lines(each.source) for each in program.files)


# ---- the gallery --------------------------------------------------------------------------------


def gallery() -> int:
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
    sys.exit(main(sys.argv[1:]))
