"""What torchrun shows of a process that failed, in the table that is the last thing it prints."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path


def tell_torchrun(text: str) -> None:
    """Writes why this process ends into the file that torchrun reads; nothing without torchrun."""
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not file or not text:
        return
    extra = {"py_callstack": text, "timestamp": str(int(time.time()))}
    with suppress(OSError):
        content = json.dumps({"message": {"message": text, "extraInfo": extra}})
        Path(file).write_text(content, encoding="utf-8")
