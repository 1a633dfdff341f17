"""Two processes never train the same run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint.run_lock import NAME, lock_run
from dotcnn.training.runtime.process_group import ALONE

from ..small import Looker, gone_on, trained

pytestmark = pytest.mark.usefixtures("no_report")

HOLD = """
import sys, time
from pathlib import Path
from dotcnn.training.checkpoint.run_lock import lock_run
from dotcnn.training.runtime.process_group import ALONE
with lock_run(Path(sys.argv[1]), ALONE):
    print("held", flush=True)
    time.sleep(600)
"""


def refused(folder: Path) -> str:
    with pytest.raises(SpecError) as raised:
        gone_on(folder)
    (found,) = raised.value.diagnostics
    assert found.code == "run-in-use"
    return found.message


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks")
def test_a_run_of_another_process_is_not_joined(tmp_path: Path) -> None:
    """Until that process is dead, however it died."""
    assert trained(tmp_path / "run", callback=Looker(stop_after=3)).interrupted
    before = (tmp_path / "run" / "last.ckpt").read_bytes()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert f"is being trained by process {holder.pid} on this machine" in refused(
            tmp_path / "run"
        )
        assert (tmp_path / "run" / "last.ckpt").read_bytes() == before
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert gone_on(tmp_path / "run").reason == "done"
    assert not (tmp_path / "run" / NAME).exists()


def test_a_run_is_not_joined_from_its_own_callback(tmp_path: Path) -> None:
    class Joining(Looker):
        message = ""

        def epoch(self, record: object) -> None:
            self.message = refused(tmp_path / "run")

    joining = Joining()
    trained(tmp_path / "run", set={"train.epochs": 1}, callback=joining)
    assert joining.message


def test_a_lock_file_that_was_left_does_not_lock(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"process": 1, "host": "elsewhere"}')
    with lock_run(tmp_path, ALONE):
        assert (tmp_path / NAME).exists()
    assert not (tmp_path / NAME).exists()
