"""What a terminal shows: drawn into a small terminal of our own, which obeys what it is sent."""

from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from dotcnn.training.display.choose import callback_for
from dotcnn.training.display.live import Live
from dotcnn.training.display.plain import Plain
from dotcnn.training.display.terminal_resize import extra_rows

from .events import Clock, record, start, step, whole_run


class Terminal(io.StringIO):
    """Rows of text, a cursor, and lines that are broken anew where the window gets narrower."""

    encoding = "utf-8"

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.rows: list[str] = [""]
        self.row = self.column = 0
        self.shows_cursor = True

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in re.split("(\x1b\\[[?0-9;]*[A-Za-z]|\r|\n)", text):
            if part == "\n":
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif part == "\r":
                self.column = 0
            elif part.startswith("\x1b"):
                self._obey(part[-1], part[2:-1])
            else:
                self._put(part)
        return len(text)

    def _put(self, text: str) -> None:
        for sign in text:
            if self.column == self.columns:
                self.write("\n")
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + sign + line[self.column + 1 :]
            self.column += 1

    def _obey(self, command: str, argument: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(argument or 1))
        elif command == "K":
            assert argument == "2"
            self.rows[self.row] = ""
        elif command in "hl" and argument == "?25":
            self.shows_cursor = command == "h"
        else:
            assert command == "m", f"not a command that all terminals know: {argument}{command}"

    def narrow(self, columns: int) -> None:
        """As terminals do: each line that has become too long takes several rows."""
        rows: list[str] = []
        for place, line in enumerate(self.rows):
            parts = [line[i : i + columns] for i in range(0, len(line), columns)] or [""]
            if place == self.row:
                self.row = len(rows) + len(parts) - 1
                self.column = len(parts[-1])
                place = -1
            rows += parts
        self.columns, self.rows = columns, rows

    @property
    def shown(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).rstrip()


def display(terminal: Terminal, now: Clock | None = None) -> tuple[Live, Console]:
    console = Console(
        file=terminal, width=terminal.columns, height=40, force_terminal=True,
        color_system=None, highlight=False, _environ={},
    )  # fmt: skip
    live = Live(terminal, color=False, console=console, now=now or Clock())
    return live, console


def redraw(live: Live) -> None:
    """What the thread that draws does five times a second."""
    assert live._drawing is not None
    live._drawing.refresh()


def middle(live: Live, folder: Path) -> None:
    """A run up to the middle of its third epoch."""
    live.started(start(folder, epochs=6))
    for epoch in (1, 2):
        for batch in range(1, 11):
            live.step(step(epoch, batch, 0.7))
        live.epoch(record(epoch, 1 / epoch, 1 - 0.3 / epoch, best=True))
    for batch in range(1, 6):
        live.step(step(3, batch, 0.25))
    redraw(live)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_the_block_shows_how_it_goes(columns: int, tmp_path: Path) -> None:
    terminal = Terminal(columns)
    live, _ = display(terminal)
    middle(live, tmp_path)
    block = terminal.shown.splitlines()[-7:]
    live.close()
    assert block[0].startswith("epoch 3/6")
    assert "5/10" in block[0]
    assert block[1].startswith("run")
    assert "42 %" in block[1]
    assert "loss 0.2500" in block[2]
    assert "best so far: epoch 2" in block[3]
    assert [line.split("  ")[0] for line in block[4:]] == ["loss", "val loss", "val top1"]
    assert "1.000 to 0.5000" in block[4]
    assert all(len(line) < columns for line in block)


@pytest.mark.parametrize("columns", [20, 40])
def test_a_very_narrow_window_gets_less_but_no_broken_lines(columns: int, tmp_path: Path) -> None:
    terminal = Terminal(columns)
    live, _ = display(terminal)
    middle(live, tmp_path)
    lines = terminal.shown.splitlines()
    live.close()
    assert any(line.startswith("epoch 3/6") for line in lines)


def test_epochs_and_notes_stay_above_it(tmp_path: Path) -> None:
    terminal = Terminal(100)
    live, _ = display(terminal)
    whole_run(live, tmp_path)
    lines = terminal.shown.splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 0/3",
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert "something to read" in lines
    assert "done: 3 epochs in 3:07" in lines
    assert not any("━" in line for line in lines), "the block is gone in the end"
    assert terminal.shows_cursor


@pytest.mark.parametrize("narrow", [99, 70, 51, 40])
def test_nothing_is_left_behind_in_a_window_made_narrower(narrow: int, tmp_path: Path) -> None:
    terminal = Terminal(120)
    live, console = display(terminal)
    middle(live, tmp_path)
    terminal.narrow(narrow)
    console.width = narrow
    redraw(live)
    redraw(live)
    lines = terminal.shown.splitlines()
    assert sum(line.startswith("run  ") and "42 %" in line for line in lines) == 1
    assert sum("best so far" in line for line in lines) == 1
    terminal.columns = console.width = 120
    redraw(live)
    assert sum("best so far" in line for line in terminal.shown.splitlines()) == 1
    live.close()


def test_rows_that_come_about_when_lines_are_broken() -> None:
    assert extra_rows([80, 40, 81, 0], 40) == 1 + 0 + 2 + 0
    assert extra_rows([80], 80) == 0


def test_it_can_be_closed_at_any_moment(tmp_path: Path) -> None:
    """As after Ctrl-C: the terminal is in order, and nothing is drawn any more."""
    terminal = Terminal(80)
    live, _ = display(terminal)
    live.close()
    live.reading("reading", 3, 10)
    redraw(live)
    assert "reading: 3 of 10" in terminal.shown
    live.close()
    live.close()
    assert terminal.shows_cursor
    assert not terminal.shown
    again, _ = display(terminal)
    middle(again, tmp_path)
    again.close()
    assert terminal.shows_cursor


def test_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    terminal = Terminal(80)
    live, _ = display(terminal)
    live.started(start(tmp_path, name="Net\x1b[2J [bold]markup[/]"))
    live.note("\x1b[1;1Hgone [red]")
    live.close()
    assert "Net\\x1b[2J [bold]markup[/]" in terminal.shown
    assert "\\x1b[1;1Hgone [red]" in terminal.shown


def test_without_unicode_it_is_drawn_in_ascii(tmp_path: Path) -> None:
    terminal = Terminal(80)
    terminal.encoding = "ascii"
    live, _ = display(terminal)
    middle(live, tmp_path)
    shown = terminal.shown
    live.close()
    assert shown.isascii()
    assert "#####" in shown


def test_a_step_makes_nothing_that_is_drawn(tmp_path: Path) -> None:
    """It is called for every batch: what it costs, the network does not learn in."""
    terminal = Terminal(80)
    live, _ = display(terminal)
    live.started(start(tmp_path))
    redraw(live)
    assert live._drawing is not None
    live._drawing.stop()  # nobody draws by the clock now
    before = terminal.rows.copy()
    for batch in range(1, 11):
        live.step(step(1, batch))
    assert terminal.rows == before
    live.close()


@pytest.mark.parametrize(
    ("terminal", "term", "kind"),
    [(True, "xterm", Live), (True, "dumb", Plain), (False, "xterm", Plain)],
)
def test_who_looks_on_depends_on_the_stream(
    terminal: bool, term: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    stream = Terminal(80) if terminal else io.StringIO()
    assert isinstance(callback_for(stream, color=False), kind)


def test_without_colour_none_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Raw(io.StringIO):
        encoding = "utf-8"

    for name in ("COLORTERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    sent = {}
    for color in (True, False):
        stream = Raw()
        whole_run(Live(stream, color=color), tmp_path)
        sent[color] = set(re.findall("\x1b\\[([0-9;]*)m", stream.getvalue()))
    colours = re.compile(r"(^|;)(3[0-7]|9[0-7]|38;)")
    assert any(colours.search(code) for code in sent[True])
    assert not any(colours.search(code) for code in sent[False])


def test_it_may_be_drawn_while_it_is_told(tmp_path: Path) -> None:
    """By another thread, at any moment between two calls of the loop and within one."""
    terminal = Terminal(80)
    live, _ = display(terminal)
    live.started(start(tmp_path, epochs=10_000, batches=4))
    wrong: list[BaseException] = []
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            try:
                live.block()
            except Exception as error:  # noqa: BLE001 (whatever it is)
                wrong.append(error)
                return

    thread = threading.Thread(target=draw)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        assert live._progress is not None
        for epoch in range(1, 300):
            for batch in range(1, 5):
                live.step(step(epoch, batch))
            live.evaluating("val", 1, 2)
            live._progress.recorded(record(epoch, best=True))
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
        live.close()
    assert not wrong
