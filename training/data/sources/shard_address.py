"""The address that a `data shards` line names, and errors about what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ....compiler.plan.data import Data
from ....dsl.diagnostics import SpecError
from ..diagnostic import problem
from ..remote.address import secret_in


def must_be_public(written: str) -> None:
    """Raises SpecError for an address with a password or a signature: the spec is kept with each
    run."""
    secret = secret_in(written)
    if secret:
        raise problem(
            "secret-in-spec",
            f"the address has {secret} in it, which would be written into the records of the run",
            None,  # which would show it
            help="write the address alone: credentials are read from environment variables, ~/.aws"
            " or ~/.netrc",
        )


@contextmanager
def placed(data: Data, argument: str) -> Iterator[None]:
    """A context whose errors are shown at an argument of the `data` line."""
    try:
        yield
    except SpecError as error:
        place = data.place(argument)
        raise SpecError([replace(each, span=place) for each in error.diagnostics]) from None
