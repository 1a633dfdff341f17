"""The command line of the suite."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from .check import LIMITS, Setting
from .run import run_command
from .table import markdown, read
from .wheels import on_path, pack


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    first, *others = options.what
    if first in ("table", "pack"):
        if len(others) != 1:
            raise SystemExit(f"write: cuda.py {first} {'FILE' if first == 'table' else 'FOLDER'}")
        if first == "pack":
            return pack(Path(others[0]), options.python, options.platform)
        print(markdown(read(Path(others[0])), every_row=options.rows))
        return 0
    commands = list(LIMITS) if options.what == ["all"] else options.what
    unknown = [command for command in commands if command not in LIMITS]
    if unknown:
        raise SystemExit(f"`{unknown[0]}` is not a command; write {', '.join(LIMITS)} or all")
    if options.wheels:
        on_path(Path(options.wheels))
    return _run(commands, options)


def _run(commands: list[str], options: argparse.Namespace) -> int:
    out = Path(options.out).absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    bad = 0
    with out.open("a", encoding="utf-8") as file:

        def write(record: dict[str, Any]) -> None:
            file.write(json.dumps(record, default=str) + "\n")
            file.flush()
            print(_line(record), flush=True)

        for command in commands:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                setting = Setting(
                    # Some functions of torch want a device with its number.
                    device="cuda:0" if options.device == "cuda" else options.device,
                    folder=Path(folder),
                    small=options.small,
                    only=options.only,
                    data=options.data and os.path.abspath(options.data),
                    reference=options.reference and os.path.abspath(options.reference),
                )
                limit = options.limit or LIMITS[command]
                bad += run_command(command, setting, limit, write, out.with_suffix(".log"))
    return 1 if bad else 0


def _line(record: dict[str, Any]) -> str:
    """A record for whoever watches."""
    command = f"{record['command']:<10}"
    if "environment" in record:
        return f"{command}{', '.join(f'{k} {v}' for k, v in record['environment'].items())}"
    if "checks" in record:
        return (
            f"{command}{record['checks']} checks, {record['bad']} bad, {record['skipped']} skipped,"
            f" {record['seconds']} of {record['limit']:g} s"
        )
    facts = ", ".join(f"{name} {value}" for name, value in record.get("facts", {}).items())
    message = record.get("message", "")
    names = f"{record['table']}: {record['check']}"
    return f"{command}{record['status']:<9}{names}  {'; '.join(filter(None, [message, facts]))}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cuda.py", description="The suite for a machine with a CUDA GPU."
    )
    parser.add_argument(
        "what",
        nargs="+",
        metavar="COMMAND",
        help=f"{', '.join(LIMITS)}, or all; or `table FILE`, `pack FOLDER`",
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu (default: cuda)")
    parser.add_argument("--small", action="store_true", help="small sizes, for a CPU")
    parser.add_argument(
        "--out", default="build/cuda.jsonl", help="JSON lines are added to this file"
    )
    parser.add_argument("--only", default="", help="only checks with this text in their name")
    parser.add_argument("--limit", type=float, help="seconds for each command, instead of its own")
    parser.add_argument("--wheels", help="a folder made by `pack`: use what is missing here")
    parser.add_argument("--data", help="records: CIFAR-10, as `cnn train --data` takes it")
    parser.add_argument("--reference", help="records: a Python program to be timed beside ours")
    parser.add_argument("--rows", action="store_true", help="table: every row of long tables")
    parser.add_argument("--python", default="3.12", help="pack: the Python of the other machine")
    parser.add_argument("--platform", default="x86_64", help="pack: its processor")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
