"""Computers made of network namespaces: each has a name, an address, a folder and a network.

    with network("host1", "host2") as hosts:
        process = hosts[0].start(["torchrun", …])
        hosts[1].unplug()

Needs Linux, root and `ip`. Programs run in a process group of their own, with a host name of their
own (a UTS namespace); the folder of a host stands for its disk, which no other host sees.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_NETWORK = "10.87.0"
_NUMBERS = itertools.cycle("abcdefgh")
"""The system removes a network some time after its end."""


def missing() -> str:
    """Why there can be no such computers here; empty if there can."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not (shutil.which("ip") and shutil.which("unshare")):
        return "needs `ip` and `unshare` (iproute2 and util-linux)"
    name = f"probe-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if done.returncode:
        return "network namespaces are not allowed here"
    _ip("netns", "del", name)
    return ""


class Host:
    """One of the computers."""

    def __init__(self, name: str, number: int, prefix: str, folder: Path) -> None:
        self.name = name
        self.address = f"{_NETWORK}.{number}"
        self.folder = folder
        """Its disk, in which its programs start."""
        self.namespace = f"{prefix}{number}"
        self.switch_end = f"{self.namespace}s"
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, command: Sequence[str], environment: Mapping[str, str] = {}, log: str = "log"
    ) -> subprocess.Popen[str]:
        """Starts a program; what it prints is added to the file `log` in the folder."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        own = {
            "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        named = f'hostname {self.name} && exec "$@"'
        line = ["ip", "netns", "exec", self.namespace, "unshare", "-u", "sh", "-c", named, "sh"]
        with (self.folder / log).open("a", encoding="utf-8") as output:
            process = subprocess.Popen(
                [*line, *command],
                cwd=self.folder,
                env={**os.environ, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def said(self, log: str = "log") -> str:
        return (self.folder / log).read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """All that run on this computer."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        )
        return [int(number) for number in listed.stdout.split()]

    def signal(self, number: int) -> None:
        """Sends a signal to every process; SIGKILL is what they see when the power goes."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def unplug(self) -> None:
        """Pulls the network cable: nobody is told that a connection ended."""
        _ip("link", "set", self.switch_end, "down")

    def plug_in(self) -> None:
        _ip("link", "set", self.switch_end, "up")

    def _shut_down(self) -> None:
        self.signal(signal.SIGKILL)
        for process in self.started:
            process.wait()


@contextmanager
def network(*names: str, folder: Path) -> Iterator[list[Host]]:
    """A context with computers on one network, which know each other's names. Their folders are
    made inside `folder`. All that runs on them is killed at the end."""
    prefix = f"n{os.getpid() % 100_000}{next(_NUMBERS)}"
    switch = f"{prefix}sw"
    with ExitStack() as stack:
        hosts = [
            Host(name, number, prefix, folder / name) for number, name in enumerate(names, start=1)
        ]
        table = "127.0.0.1 localhost\n" + "".join(f"{h.address} {h.name}\n" for h in hosts)
        _ip("link", "add", switch, "type", "bridge")
        stack.callback(_ip, "link", "del", switch)
        _ip("link", "set", switch, "up")
        for host in hosts:
            host.folder.mkdir(parents=True, exist_ok=True)
            etc = Path("/etc/netns", host.namespace)
            etc.mkdir(parents=True)
            stack.callback(shutil.rmtree, etc, ignore_errors=True)
            (etc / "hosts").write_text(table)
            _ip("netns", "add", host.namespace)
            stack.callback(_ip, "netns", "del", host.namespace)
            _ip("link", "add", host.switch_end, "type", "veth", "peer", "name", "eth0",
                "netns", host.namespace)  # fmt: skip
            _ip("link", "set", host.switch_end, "master", switch, "up")
            inside = ("-n", host.namespace)
            _ip(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _ip(*inside, "link", "set", "eth0", "up")
            _ip(*inside, "link", "set", "lo", "up")
            stack.callback(host._shut_down)
        yield hosts


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def srun(
    hosts: Sequence[Host], command: Sequence[str], *, tasks: int = 1, log: str = "log"
) -> list[subprocess.Popen[str]]:
    """Starts a command as `srun` of Slurm does: in so many processes on each of the computers, with
    the variables that Slurm sets."""
    names = ",".join(host.name for host in hosts)
    shared = {
        "SLURM_JOB_ID": "4711",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": str(tasks * len(hosts)),
        "SLURM_STEP_NUM_TASKS": str(tasks * len(hosts)),
        "SLURM_JOB_NODELIST": names,
        "SLURM_STEP_NODELIST": names,
    }
    started = []
    for node, host in enumerate(hosts):
        for task in range(tasks):
            own = {
                "SLURM_NODEID": str(node),
                "SLURM_LOCALID": str(task),
                "SLURM_PROCID": str(node * tasks + task),
            }
            started.append(host.start(command, {**shared, **own}, log))
    return started
