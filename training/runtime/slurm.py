"""The variables that Slurm sets for the tasks of `srun`, as those that torchrun would set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_NUMBERS = {
    "RANK": "SLURM_PROCID",
    "WORLD_SIZE": "SLURM_STEP_NUM_TASKS",
    "LOCAL_RANK": "SLURM_LOCALID",
}
_HOSTS = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")
"""The machines of the tasks: `gpu[07-09,12],large1`; of the job, where those of the step are not
said. The number of tasks of a step is set only in what `srun` starts: a program in a batch script
without `srun` is alone, although SLURM_NTASKS may be 8 there."""

_PORTS = range(61_000, 65_000)
"""Ports that Linux does not give to other connections."""
_MOST_HOSTS = 65_536


def slurm_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What torchrun would set in this task of `srun`; empty if there is only one task, or if other
    processes are numbered than the tasks: by torchrun, or by WORLD_SIZE=1."""
    found = {name: environment.get(slurm) for name, slurm in _NUMBERS.items()}
    values = {name: value for name, value in found.items() if value}
    hosts, tasks = slurm_hosts(environment), values.get("WORLD_SIZE", "1")
    if len(values) < len(_NUMBERS) or not hosts or tasks == "1":
        return {}
    if environment.get("WORLD_SIZE") not in (None, "", tasks):
        return {}
    # Steps of all jobs may run on one machine at the same time.
    step, job = (_digits(environment.get(name, "")) for name in ("SLURM_STEP_ID", "SLURM_JOB_ID"))
    port = _PORTS[(job + 101 * step) % len(_PORTS)]
    return {**values, "MASTER_ADDR": hosts[0], "MASTER_PORT": str(port)}


def slurm_hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The machines of a step, in the order of their tasks."""
    text = next((environment[name] for name in _HOSTS if environment.get(name)), "")
    return tuple(host_names(text))


def host_names(text: str) -> list[str]:
    """The names in a node list: `gpu07`, `gpu08` and `large1` for `gpu[07-08],large1`."""
    names: list[str] = []
    for pattern in re.findall(r"(?:[^\[\],]|\[[^\]]*\])+", text):
        for name in _expanded(pattern.strip()):
            if len(names) == _MOST_HOSTS:
                return names
            names.append(name)
    return names


def _expanded(pattern: str) -> Iterator[str]:
    """The names of a pattern, which may have several brackets: `rack[1-2]node[01-40]`."""
    start, bracket, rest = pattern.partition("[")
    if not bracket:
        yield start
        return
    inside, _, end = rest.partition("]")
    for item in inside.split(","):
        first, dash, last = item.strip().partition("-")
        numbers = [first]
        if dash and first.isdecimal() and last.isdecimal():
            stop = min(int(last), int(first) + _MOST_HOSTS)
            numbers = [f"{number:0{len(first)}}" for number in range(int(first), stop + 1)]
        for number in numbers:
            for tail in _expanded(end):
                yield f"{start}{number}{tail}"


def _digits(text: str) -> int:
    return int("".join(re.findall(r"\d", text)) or 0)
