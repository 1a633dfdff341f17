"""A table of imported networks: a row for each, printed when it is known, and their summary."""

from __future__ import annotations

import re
import statistics
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dotcnn.compiler.importing.import_network import Imported
from dotcnn.dsl.diagnostics import SpecError
from fuzz.frame import HangsError, alarm


class Options(NamedTuple):
    """What the command line asks for."""

    names: list[str]
    module: bool = False
    sample: int = 0
    count: int = 10_000
    seed: int = 0
    seconds: float = 120
    keep: Path | None = None

    def wants(self, name: str) -> bool:
        return not self.names or name in self.names


class Row(NamedTuple):
    name: str
    layers: int = 0
    ours: int = 0
    """Lines; 0 if there is no spec of our own."""
    lines: int = 0
    proved: str = "no"
    differ: float | None = None
    seconds: float = 0.0
    """Of processor time."""
    stops: str = ""
    """Why it is not imported, or not whole."""

    @property
    def ratio(self) -> float | None:
        return self.lines / self.ours if self.ours and self.lines else None

    def __str__(self) -> str:
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        differ = f"{self.differ:.0e}" if self.differ is not None else ""
        stops = self.stops if len(self.stops) < 100 else self.stops[:99] + "…"
        return (
            f"{self.name:32}{self.layers or '':>7}{self.ours or '':>6}{self.lines or '':>7}"
            f"{ratio:>7}  {self.proved:7}{differ:>7}{self.seconds:>7.1f}  {stops}"
        ).rstrip()


HEADER = (
    f"{'network':32}{'layers':>7}{'ours':>6}{'lines':>7}{'ratio':>7}  {'proved':7}{'differ':>7}"
    f"{'s':>7}"
)


class Table:
    """Rows of one measure; those that went wrong in a way that no import may are counted."""

    def __init__(self, options: Options) -> None:
        self.seconds = options.seconds
        self.keep = options.keep
        self.rows: list[Row] = []
        self.faults = 0
        print(HEADER, flush=True)

    def add(self, name: str, ours: int, read: Callable[[], Imported]) -> Imported | None:
        """Imports a network and prints its row."""
        row, imported = self._measured(Row(name, ours=ours), read)
        self.rows.append(row)
        print(row, flush=True)
        if imported is not None and self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{name.replace('/', '-')}.cnn").write_text(imported.text)
        return imported

    def _measured(self, row: Row, read: Callable[[], Imported]) -> tuple[Row, Imported | None]:
        start = time.process_time()
        try:
            with alarm(self.seconds):
                imported = read()
        except SpecError as error:
            stops = error.diagnostics[0].message
            return row._replace(stops=stops, seconds=time.process_time() - start), None
        except HangsError:
            self.faults += 1
            return row._replace(stops="takes too long", seconds=self.seconds), None
        except Exception as error:  # noqa: BLE001 # a traceback is a fault, whatever it is
            self.faults += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            stops = f"FAULT {type(error).__name__} in {Path(place.filename).name}: {error}"
            return row._replace(stops=" ".join(stops.split())), None
        seconds = time.process_time() - start
        proved = "part" if imported.left_out else "yes"
        stops = imported.left_out[0].message if imported.left_out else ""
        row = row._replace(
            layers=len(imported.graph.layers), lines=lines(imported.text), proved=proved,
            seconds=seconds, stops=stops,
        )  # fmt: skip
        if imported.graph.has_weights and imported.graph.run is not None:
            from dotcnn.training.importing.imported_weights import difference

            try:
                row = row._replace(differ=difference(imported).of_the_largest)
            except Exception as error:  # noqa: BLE001 # as above
                self.faults += 1
                row = row._replace(stops=f"FAULT when run: {type(error).__name__}: {error}")
        return row, imported

    def sum_up(self) -> int:
        """Prints the summary; returns how many rows may not be."""
        rows = self.rows
        if not rows:
            print("nothing was imported")
            return 0
        proved = [row for row in rows if row.proved == "yes"]
        part = sum(row.proved == "part" for row in rows)
        print(
            f"\n{len(rows)} networks: {len(proved)} proved ({100 * len(proved) / len(rows):.0f} %),"
            f" {part} in part, {len(rows) - len(proved) - part} not imported"
        )
        ratios = sorted(row.ratio for row in rows if row.ratio is not None)
        if ratios:
            ninth = ratios[round(0.9 * (len(ratios) - 1))]
            within = ", ".join(
                f"{sum(each <= most for each in ratios)} within {most}" for most in (1.25, 1.3, 1.5)
            )
            print(
                f"lines beside our own: median {statistics.median(ratios):.2f}, 90th percentile"
                f" {ninth:.2f}, at most {ratios[-1]:.2f} ({len(ratios)} networks); {within}"
            )
        run = [row.differ for row in rows if row.differ is not None]
        if run:
            print(f"outputs of {len(run)} compared: they differ by {max(run):.0e} at most")
        reasons = Counter(re.sub(r", \d+ times", "", row.stops) for row in rows if row.stops)
        if reasons:
            print("what stops the others:")
        for reason, count in reasons.most_common():
            print(f"  {count:4}  {reason}")
        return self.faults


def lines(text: str) -> int:
    """Those that are neither blank nor only a comment."""
    return sum(bool(line.split("#", 1)[0].strip()) for line in text.splitlines())
