"""Trains one network in its run folder: setup, loop, finish, and the errors in between."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from ...dsl.diagnostics import SpecError
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..runtime.nan_check import Diverged
from .finish import finish, record_failure, record_unfinished
from .job import Job
from .loop import CALLBACK, DIVERGED, INTERRUPTED, STOPPED, Ending, Loop
from .result import Result
from .setup import Run, set_up


def train_network(job: Job, folder: Path, interruption: Interruption) -> Result:
    """Trains a network, starting from the checkpoint in the folder if there is one."""
    with explained(job.situation(phase="setup")):
        run = set_up(job, folder, interruption)
    ending = _run_loop(run, interruption)
    if job.own.error is not None and ending.state in (INTERRUPTED, CALLBACK):
        failure = record_failure(run, STOPPED, job.own.saved(folder, finished=False).diagnostics)
        job.processes.wait_for_first()  # the others end as if they were interrupted
        raise failure
    # All is saved: a signal ends the evaluation at once, and resuming the run repeats it.
    ends = nullcontext() if ending.state == INTERRUPTED else interruption.after_training()
    try:
        precision = run.learner.precision
        with (
            ends,
            explained(job.situation(phase="evaluation", precision=precision, folder=folder)),
        ):
            return finish(run, ending)
    except KeyboardInterrupt:
        record_unfinished(run)
        raise
    except SpecError as error:
        raise record_failure(run, STOPPED, error.diagnostics) from None


def _run_loop(run: Run, interruption: Interruption) -> Ending:
    """Runs the loop and returns how it ended. If training cannot continue, raises a SpecError,
    which is also written to the record."""
    job = run.job
    loop = Loop(run, interruption)
    together = False
    """Whether all processes end for the same reason, at the same step."""
    try:
        with explained(job.situation(precision=run.learner.precision)):
            return loop.run()
    except Diverged as error:
        together = True
        raise record_failure(run, DIVERGED, [error.diagnostic]) from None
    except SpecError as error:
        together = loop.failed is not None
        raise record_failure(run, STOPPED, error.diagnostics) from None
    except KeyboardInterrupt:
        run.writer.abandon()
        raise
    finally:
        loop.close()
        if job.processes.writes:
            run.writer.close()
        if together:  # the others end when the first one has written everything
            job.processes.wait_for_first()
