"""Runs `cnn` again and again, each time in a process of its own, and tells what that took.

Reads a line of JSON, the arguments; writes a line of JSON: exit code, seconds of processor time,
megabytes at the highest, and what was printed. Started once, it has everything loaded: a fork of it
begins where a fresh process would be after its start.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from typing import Any

import dotcnn.cli
import dotcnn.compiler.diagnose.check
import dotcnn.dsl.gallery
import dotcnn.dsl.mistakes
import dotcnn.dsl.printer
import dotcnn.dsl.render

SECONDS, MEGABYTES = 20, 2000
"""Where a run is stopped for good."""


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(arguments: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = os.fork()
        if process == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))
            os._exit(_cnn(arguments))
        _, status, used = os.wait4(process, 0)
        out.seek(0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": used.ru_utime + used.ru_stime,
            "megabytes": used.ru_maxrss / 1024,
            "out": out.read().decode("utf-8", "backslashreplace"),
            "err": err.read().decode("utf-8", "backslashreplace"),
        }


def _cnn(arguments: list[str]) -> int:
    try:
        code = dotcnn.cli.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 # whatever it is, that is what is looked for
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        return 99
    return code


if __name__ == "__main__":
    main()
