"""Where the study of Optuna is kept: a file in the sweep's folder, or a database (`storage`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ...compiler.plan.sweep_directives import Storage
from ...dsl.diagnostics import Diagnostic, SpecError
from .sweep_folder import STUDY


class _Driver(NamedTuple):
    """A package that reaches a database."""

    name: str
    """As URLs of SQLAlchemy have it: `postgresql+psycopg2://`."""
    module: str
    package: str


_DRIVERS = {
    "postgresql": (
        _Driver("psycopg", "psycopg", '"psycopg[binary]"'),
        _Driver("psycopg2", "psycopg2", "psycopg2-binary"),
    ),
    "mysql": (
        _Driver("pymysql", "pymysql", "pymysql"),
        _Driver("mysqldb", "MySQLdb", "mysqlclient"),
    ),
}
_OTHER_NAMES = {"postgres": "postgresql", "mariadb": "mysql"}
_KNOWN = "it begins with `postgresql://`, `mysql://` or `sqlite:///`"


class StorageLost(SpecError):
    """The storage cannot be read or written any more."""


def study_storage(folder: Path, storage: Storage | None) -> Any:
    """The storage of a study, as Optuna has it; raises SpecError if a database cannot be opened."""
    if storage is not None:
        return open_database(storage)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = folder / STUDY
    with suppress(OSError):
        if path.is_symlink():
            path.unlink()  # nothing is written outside of the folder
    return JournalStorage(JournalFileBackend(str(path)))


def open_database(storage: Storage) -> Any:
    """Connects with the database, and makes its tables; raises SpecError."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    url = _with_driver(storage)
    # A connection that idled through a long epoch may be gone: it is tried before it is used.
    arguments = {} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        with quiet():
            return RDBStorage(url, engine_kwargs=arguments)
    except (SQLAlchemyError, ImportError, RuntimeError, ValueError) as error:
        raise SpecError([_cannot_open(storage, error)]) from None


def _with_driver(storage: Storage) -> str:
    """The URL with the driver that is installed, where it names none."""
    scheme, _, rest = storage.url.partition("://")
    dialect, _, driver = scheme.partition("+")
    dialect = _OTHER_NAMES.get(dialect, dialect)
    drivers = _DRIVERS.get(dialect, ())
    if driver:
        package = next((each.package for each in drivers if each.name == driver), driver)
        modules = [each.module for each in drivers if each.name == driver]
        if modules and find_spec(modules[0]) is None:
            raise SpecError([_missing(storage, dialect, driver, package)])
        return f"{dialect}+{driver}://{rest}"
    found = next((each for each in drivers if find_spec(each.module) is not None), None)
    if found is None and drivers:
        raise SpecError([_missing(storage, dialect, drivers[0].module, drivers[0].package)])
    return f"{dialect}+{found.name}://{rest}" if found is not None else f"{dialect}://{rest}"


def _missing(storage: Storage, dialect: str, name: str, package: str) -> Diagnostic:
    message = f"a study in {dialect} needs {name}, not installed here"
    return Diagnostic("missing-package", message, storage.span, help=f"pip install {package}")


def _cannot_open(storage: Storage, error: Exception) -> Diagnostic:
    kind = type(error).__name__
    if kind in ("NoSuchModuleError", "ArgumentError"):
        message = f'"{storage.url}" is not the URL of a database that SQLAlchemy knows'
        return Diagnostic("no-storage", message, storage.span, help=_KNOWN)
    lines = [line for line in str(error).splitlines() if not line.startswith("(Background")]
    reason = " ".join(" ".join(lines).split())[:300] or kind
    help = (
        "are the server, the user and the name of the database right? The database must be there;"
        " its tables are created"
    )
    if isinstance(error, ImportError):
        help = "install the package of that database"
    message = f"the storage cannot be opened: {reason}"
    return Diagnostic("no-storage", message, storage.span, help=help)


@contextmanager
def quiet() -> Iterator[None]:
    """A context without the warnings of Optuna, of what is experimental in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def storage_in_use(storage: Storage | None) -> Iterator[None]:
    """A context in which a study is read and written; raises StorageLost if that fails."""
    from optuna.exceptions import StorageInternalError

    try:
        with quiet():
            yield
    except (StorageInternalError, OSError) as error:
        reason = str(error.__cause__ or error).split("\n")[0]
        place = storage.span if storage is not None else None
        what = "the storage" if storage is not None else f"{STUDY} in the folder of the sweep"
        raise StorageLost([
            Diagnostic(
                "no-storage",
                f"{what} cannot be read or written any more: {' '.join(reason.split())[:200]}",
                place,
                help="nothing is lost: `cnn sweep --join FOLDER` goes on when that is mended",
            )
        ]) from None  # fmt: skip
