"""One frame for all fuzzing: what a target is, what counts as a failure, how inputs are made.

To add a target, put a module into tests/fuzz/targets that says

    from fuzz.frame import Target, register

    def read_weights(data: bytes) -> str:
        ...                      # hand the bytes to the code that has to withstand them
        return "what was said"   # compared between runs; SpecError is an answer, not a failure

    register(Target("weights", read_weights, seeds=lambda: [one_good_file, another]))

and that is all: `make test` runs its kept cases (tests/fuzz/cases/weights/*) and a few mutations,
`make check-all` some thousands, `make fuzz` (`python -m fuzz weights --count 100000`) as many as
are asked for. A target that needs a file or a folder writes one below `scratch()`.

A failure is
- any exception but SpecError and what the target names in `refusals`;
- more than SECONDS of processor time, or MEGABYTES of growth;
- another output when the same input is run again, here or in a process with other hashes.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import json
import os
import pkgutil
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

from dotcnn.dsl.diagnostics import SpecError

SECONDS = 1.5
MEGABYTES = 300
HANGS = 10.0
"""Seconds of processor time after which an input is given up."""
MAX_BYTES = 20_000
"""Mutations grow no larger: what is slow only because it is long is tested elsewhere."""

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"


@dataclass(frozen=True)
class Target:
    """A kind of input, and the code that must withstand it."""

    name: str
    run: Callable[[bytes], str]
    seeds: Callable[[], Sequence[bytes]]
    """Sound inputs, which are mutated."""
    words: Sequence[bytes] = ()
    """Pieces that mean something: they are strewn in."""
    refusals: tuple[type[Exception], ...] = ()
    """Exceptions that are an answer, beside SpecError."""
    draw: Callable[[Random], bytes] | None = None
    """Makes an input from nothing; every third is made so where it is given."""
    few: int = 60
    """How many inputs `make test` runs."""


TARGETS: dict[str, Target] = {}


def register(target: Target) -> None:
    assert target.name not in TARGETS, f"two targets are called {target.name}"
    TARGETS[target.name] = target


def targets() -> dict[str, Target]:
    """All of them, those of every module in targets/."""
    for module in pkgutil.iter_modules([str(HERE / "targets")]):
        importlib.import_module(f"fuzz.targets.{module.name}")
    return TARGETS


@cache
def scratch() -> Path:
    """A folder for the files that a target needs, removed at the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder


# ---- one input -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """What went wrong with an input."""

    kind: str
    """`exception`, `time`, `memory` or `output`."""
    text: str
    place: str = ""
    """For exceptions: type, file and function, so that one fault is counted once."""

    @property
    def signature(self) -> str:
        return re.sub(r"[^\w.-]+", "-", f"{self.kind}-{self.place}".strip("-"))[:100]


@dataclass(frozen=True)
class Outcome:
    """What came of an input: a failure or none, what was said, what it took."""

    failure: Failure | None
    said: str
    seconds: float
    megabytes: float

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.said.encode("utf-8", "backslashreplace")).hexdigest()[:16]


class HangsError(BaseException):
    """Not an Exception, so that nothing on its way catches it."""


def attempt(target: Target, data: bytes) -> Outcome:
    """Runs an input once. What seems slow is run again, since machines are busy at times."""
    outcome = _once(target, data)
    failure = outcome.failure
    if failure is not None and failure.kind == "time" and outcome.seconds < HANGS:
        return _once(target, data)
    return outcome


def repeated(target: Target, data: bytes) -> Outcome:
    """Runs an input twice and compares what is said."""
    first = attempt(target, data)
    if first.failure is not None:
        return first
    again = attempt(target, data)
    if again.failure is None and again.said != first.said:
        text = f"said first:\n{first.said}\n\nsaid then:\n{again.said}"
        return Outcome(Failure("output", text), first.said, first.seconds, first.megabytes)
    return again


def _once(target: Target, data: bytes) -> Outcome:
    said, failure = "", None
    before = _resident(reset=True)
    start = time.process_time()
    try:
        with alarm(HANGS):
            said = target.run(data)
    except SpecError as error:
        said = "\n".join(f"{d.code} {d.message} {d.help}" for d in error.diagnostics)
    except HangsError:
        text = "".join(traceback.format_exc().splitlines(keepends=True)[-12:])
        failure = Failure("time", f"more than {HANGS} s\n{text}", _place(sys.exc_info()[1]))
    except target.refusals as error:
        said = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 # whatever it is, that is what is looked for
        failure = Failure("exception", traceback.format_exc(), _place(error))
    seconds = time.process_time() - start
    megabytes = max(0.0, _resident(peak=True) - before)
    if failure is None and seconds > SECONDS:
        failure = Failure("time", f"{seconds:.1f} s")
    if failure is None and megabytes > MEGABYTES:
        failure = Failure("memory", f"{megabytes:.0f} MB")
    return Outcome(failure, said, seconds, megabytes)


def _place(error: BaseException | None) -> str:
    """The type, and where in the package it was raised."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if str(HERE.parent.parent) in f.filename] or frames
    where = f"{Path(ours[-1].filename).stem}-{ours[-1].name}" if ours else ""
    return f"{type(error).__name__}-{where}"


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise HangsError

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _resident(*, reset: bool = False, peak: bool = False) -> float:
    """Megabytes in memory, or the most there were since the last reset; 0 where no one tells."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def digests_elsewhere(target: Target, inputs: Sequence[bytes]) -> list[str]:
    """What a process with other hashes says of the same inputs."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(1 + int(os.environ.get("PYTHONHASHSEED", "0") or 0) % 1000),
        "PYTHONPATH": str(HERE.parent),
    }
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--digests", target.name],
        input=json.dumps([data.hex() for data in inputs]),
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found


# ---- making inputs ---------------------------------------------------------------------------


@dataclass
class Inputs:
    """The inputs of a target, each named by a number: the same number is the same input."""

    target: Target
    seed: int = 0
    seeds: Sequence[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.seeds = [*self.target.seeds(), *(path.read_bytes() for path in cases(self.target))]

    def __getitem__(self, number: int) -> bytes:
        random = Random(f"{self.target.name}:{self.seed}:{number}")
        if self.target.draw is not None and number % 3 == 0:
            return self.target.draw(random)
        return mutated(random.choice(self.seeds), self.seeds, self.target.words, random)


def mutated(data: bytes, seeds: Sequence[bytes], words: Sequence[bytes], random: Random) -> bytes:
    """A sound input with one or a few changes: bits, bytes, words; left out, doubled, exchanged."""
    text = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 3, 6])):
        random.choice(_MUTATIONS)(text, seeds, words, random)
    # Only what is drawn from large seeds may be large.
    del text[max(MAX_BYTES, len(data) + 1000) :]
    return bytes(text)


Mutation = Callable[[bytearray, Sequence[bytes], Sequence[bytes], Random], None]


def _range(text: bytearray, random: Random) -> slice:
    """A piece: a few bytes, a word, a line, or more."""
    start = random.randrange(len(text) + 1)
    size = random.choice([1, 1, 2, 4, 8, 30, 100, len(text)])
    return slice(start, min(len(text), start + random.randint(1, size or 1)))


def _token(text: bytearray, random: Random) -> slice:
    """A word or a sign of a text."""
    at = random.randrange(len(text) + 1)
    found = re.compile(rb"[A-Za-z_0-9.]+|\s+|.", re.DOTALL).search(text, at)
    return slice(*found.span()) if found else slice(at, at)


def _flip(text: bytearray, *rest: object) -> None:
    random = rest[-1]
    assert isinstance(random, Random)
    if text:
        text[random.randrange(len(text))] ^= 1 << random.randrange(8)


def _set(text: bytearray, *rest: object) -> None:
    random = rest[-1]
    assert isinstance(random, Random)
    if text:
        text[random.randrange(len(text))] = random.choice([0, 1, 127, 128, 255, 10, 32])


def _delete(text: bytearray, seeds: object, words: object, random: Random) -> None:
    del text[random.choice([_range, _token])(text, random)]


def _double(text: bytearray, seeds: object, words: object, random: Random) -> None:
    piece = _range(text, random)
    copies = random.choice([1, 1, 2, 10, 40, 1000])
    room = max(1, MAX_BYTES // max(1, piece.stop - piece.start))
    text[piece.stop : piece.stop] = text[piece] * min(copies, room)


def _insert(text: bytearray, seeds: object, words: Sequence[bytes], random: Random) -> None:
    at = random.choice([_range, _token])(text, random).start
    text[at:at] = random.choice(words) if words else bytes([random.randrange(256)])


def _replace(text: bytearray, seeds: object, words: Sequence[bytes], random: Random) -> None:
    text[_token(text, random)] = random.choice(words) if words else b"\xff\xff"


def _move(text: bytearray, seeds: object, words: object, random: Random) -> None:
    piece = _token(text, random)
    moved = bytes(text[piece])
    del text[piece]
    at = _token(text, random).start
    text[at:at] = moved


def _splice(text: bytearray, seeds: Sequence[bytes], words: object, random: Random) -> None:
    other = bytearray(random.choice(seeds))
    text[_range(text, random)] = other[_range(other, random)]


def _number(text: bytearray, seeds: object, words: object, random: Random) -> None:
    """A number made extreme."""
    found = list(re.finditer(rb"\d+", text))
    if found:
        extremes = [b"0", b"1", b"2", b"7", b"255", b"65536", b"199999", b"2147483648"]
        extremes += [b"9" * 19, b"9" * 80, b"-1", b"0.5", b"1e9", b"1e308", b"0x1", b"00"]
        text[slice(*random.choice(found).span())] = random.choice(extremes)


def _truncate(text: bytearray, *rest: object) -> None:
    random = rest[-1]
    assert isinstance(random, Random)
    del text[random.randrange(len(text) + 1) :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _set, _delete, _delete, _double, _double, _insert, _insert, _replace, _replace,
    _move, _move, _splice, _number, _number, _truncate,
)  # fmt: skip


# ---- what was found --------------------------------------------------------------------------


def cases(target: Target) -> list[Path]:
    """Inputs that failed once, each under a name that says what was wrong."""
    folder = CASES / target.name
    return sorted(path for path in folder.glob("*") if path.is_file())
