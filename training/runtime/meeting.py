"""How the processes of distributed training find each other, and who is still missing."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue

from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import PrefixStore, Store

from ...dsl.diagnostics import Diagnostic, SpecError
from .break_off import own_addresses
from .heartbeats import Heartbeats
from .launch_environment import Place

MEETING = 600.0
"""The seconds that processes wait for the others to start."""
ANSWER = 40.0
"""The seconds in which the store of process 0 answers, whatever else its computer does."""
_TELL, _TELL_AGAIN = 20.0, 60.0
"""After how many seconds it is said who is missing, and how often."""
_STEP = 0.2
_KEY, _NO_OFFER = "heartbeats", '{"addresses": []}'

Tell = Callable[[str], None]


def open_store(place: Place, environment: Mapping[str, str], tell: Tell) -> Store:
    """The store in which processes find each other's addresses: that of torchrun, or one that the
    first process hosts. Raises SpecError if it cannot be reached."""
    with_agent = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    hosts_it = place.rank == 0 and not with_agent
    if not hosts_it:
        _wait_until_reachable(place, tell)
    try:
        store = _connected(place, hosts_it=hosts_it)
    except (RuntimeError, OSError, ValueError) as error:  # older releases have no `DistError` of it
        raise SpecError([_not_met(place, str(error))]) from None
    if with_agent:
        attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
        return PrefixStore(f"/worker/attempt_{attempt}", store)
    # Another job of Slurm may have the same port there.
    job = [environment.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    return PrefixStore(f"job {'.'.join(job)}", store)


def _connected(place: Place, *, hosts_it: bool) -> Store:
    """The store of torch. If another program answers at the port, torch would wait for ever for
    what it says, and could not be interrupted: so a thread does."""
    answers: SimpleQueue[Store | Exception] = SimpleQueue()

    def connect() -> None:
        try:
            store = TCPStore(
                # Where the address is that of another computer, this one would wait for itself.
                "127.0.0.1" if hosts_it else place.address,
                place.port,
                place.world,
                is_master=hosts_it,
                timeout=timedelta(seconds=MEETING),
                wait_for_workers=False,
                multi_tenant=True,
            )
        except Exception as error:  # noqa: BLE001 (raised again)
            answers.put(error)
        else:
            answers.put(store)

    threading.Thread(target=connect, name="store", daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER)
    except Empty:
        raise OSError("another program answers there, not process 0") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _wait_until_reachable(place: Place, tell: Tell) -> None:
    """Waits until somebody listens where the processes meet: torch's own attempts could not be
    interrupted, and are silent."""
    clock = _Clock(tell)
    while True:
        try:
            socket.create_connection((place.address, place.port), timeout=5).close()
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            if clock.over:
                raise SpecError([_not_met(place, reason)]) from None
            if place.local_rank == 0:
                clock.tell(_waits(place, reason.lower()))
            time.sleep(_STEP)
        else:
            return


def meet(place: Place, store: Store, heartbeats: Heartbeats, tell: Tell) -> None:
    """Connects all processes by heartbeats. Raises SpecError if some do not come."""
    if place.rank == 0:
        _wait_for_others(place, store, heartbeats, tell)
    else:
        _connect(place, store, heartbeats, tell)


def _waits(place: Place, reason: str) -> str:
    where = f"process 0 at {place.address}, port {place.port}"
    return f"process {place.rank} on {socket.gethostname()} is waiting for {where}: {reason}"


def _wait_for_others(place: Place, store: Store, heartbeats: Heartbeats, tell: Tell) -> None:
    own = _own_address(place)
    server = _server(place)
    token = secrets.token_hex(16)
    heartbeats.listen(server, token)
    offer = {
        "addresses": [own, place.address], "port": server.getsockname()[1], "token": token,
        "host": heartbeats.host,
    }  # fmt: skip
    store.set(_KEY, json.dumps(offer))
    clock = _Clock(tell)
    while len(heartbeats.hosts()) < place.world:
        if heartbeats.lost is not None:
            raise SpecError([heartbeats.lost.diagnostic(0)])
        _must_have_the_same_versions(heartbeats)
        hosts = heartbeats.hosts()
        if clock.over:
            raise SpecError([_some_missing(place, hosts)])
        elsewhere = "" if _is_here(place.address) else _ELSEWHERE.format(place.address)
        clock.tell(_who_is_here(place, hosts) + elsewhere)
        time.sleep(_STEP / 4)
    _must_have_the_same_versions(heartbeats)


def _must_have_the_same_versions(heartbeats: Heartbeats) -> None:
    other = heartbeats.other_version()
    if other is not None:
        raise SpecError([other])


_ELSEWHERE = "; MASTER_ADDR is {}, which is not an address of this computer"


def _is_here(address: str) -> bool:
    """Whether an address is one of this computer."""
    with suppress(OSError):
        for family, _, _, _, place in socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM):
            with suppress(OSError), socket.socket(family) as probe:
                probe.bind(place)
                return True
    return False


def _connect(place: Place, store: Store, heartbeats: Heartbeats, tell: Tell) -> None:
    """Connects to the first process. What the store says may still be of a group that has ended:
    torchrun starts the next one with the same store."""
    clock = _Clock(tell)
    reason = "it does not answer yet"
    while not clock.over:
        try:
            known = store.get(_KEY) if store.check([_KEY]) else _NO_OFFER
            offer = json.loads(known)
        except RuntimeError as error:  # the process that hosts the store has ended
            raise SpecError([_not_met(place, str(error))]) from None
        for address in dict.fromkeys(offer["addresses"]):
            try:
                connection = socket.create_connection((address, offer["port"]), timeout=5)
            except OSError as error:
                reason = f"{address}, port {offer['port']}: {error.strerror or error}"
            else:
                heartbeats.connect(connection, offer["host"], offer["token"])
                return
        if place.local_rank == 0:
            clock.tell(_waits(place, reason))
        time.sleep(_STEP / 4)
    raise SpecError([_not_met(place, reason)])


def _server(place: Place) -> socket.socket:
    """Listens for heartbeats: from this computer alone, if that is where all processes meet. (What
    is a loopback address here, as that of its own name, may not be one for the others.)"""
    if place.address in ("127.0.0.1", "localhost"):
        return socket.create_server(("127.0.0.1", 0), backlog=1024)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(
                ("", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
            )
    return socket.create_server(("", 0), backlog=1024)


def _own_address(place: Place) -> str:
    """The address of this computer from which the meeting place is reached."""
    with suppress(OSError):
        family, *_, target = socket.getaddrinfo(place.address, place.port, type=socket.SOCK_DGRAM)[
            0
        ]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)  # sends nothing
            return str(probe.getsockname()[0])
    return place.address


class _Clock:
    """When to say that others are still missing, and when to give up."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        now = time.monotonic()
        self._next, self._end = now + _TELL, now + MEETING

    @property
    def over(self) -> bool:
        return time.monotonic() > self._end

    def tell(self, line: str) -> None:
        if time.monotonic() > self._next:
            self._next += _TELL_AGAIN
            self._tell(line)


def _who_is_here(place: Place, hosts: Mapping[int, str]) -> str:
    counts = Counter(hosts.values())
    here = ", ".join(f"{count} on {host}" for host, count in counts.items())
    away = [host for host in place.hosts if not any(_is_same(host, one) for one in counts)]
    missing = f"; none of {', '.join(away)}" if away else ""
    return (
        f"waiting for the other processes: {len(hosts)} of {place.world} are here ({here}){missing}"
    )


def _is_same(host: str, other: str) -> bool:
    """Whether two names, of which one may have its domain, are of one host."""
    return host.partition(".")[0] == other.partition(".")[0]


def _some_missing(place: Place, hosts: Mapping[int, str]) -> Diagnostic:
    ranks = [str(rank) for rank in range(place.world) if rank not in hosts]
    listed = ", ".join(ranks[:8]) + (f" and {len(ranks) - 8} more" if len(ranks) > 8 else "")
    return Diagnostic(
        "no-launch",
        f"{len(hosts)} of {place.world} processes came within {MEETING / 60:.0f} minutes",
        notes=(f"missing: {listed}", _who_is_here(place, hosts).partition(": ")[2]),
        help="look at what they printed; all must be started with the same MASTER_ADDR and"
        " MASTER_PORT, and a firewall must let them connect to each other",
    )


def _not_met(place: Place, reason: str) -> Diagnostic:
    reason = reason.strip().partition("\n")[0][:200]
    if place.rank == 0 and "EADDRINUSE" in reason:
        return Diagnostic(
            "no-launch",
            f"port {place.port} of {socket.gethostname()} is in use by another program",
            help="set MASTER_PORT, in all processes, to a port that is free there; `ss -ltnp` says"
            " what uses this one",
        )
    return Diagnostic(
        "no-launch",
        f"the {place.world} processes did not meet at {place.address}, port {place.port}: {reason}",
        help="MASTER_ADDR must be a machine that all of them reach, the one of the first process,"
        " and MASTER_PORT a port that is free there",
    )


# ---- the network of gloo -----------------------------------------------------------------------


def choose_interface(heartbeats: Heartbeats) -> None:
    """Lets gloo use the network on which processes have met, where the host's own name stands for
    `127.0.1.1`, as Debian writes it into /etc/hosts: nobody else could connect there."""
    address = heartbeats.address
    if not address or os.environ.get("GLOO_SOCKET_IFNAME"):
        return
    with suppress(OSError):
        if not socket.gethostbyname(socket.gethostname()).startswith("127."):
            return
    name = own_addresses().get(address)
    if name:
        os.environ["GLOO_SOCKET_IFNAME"] = name
