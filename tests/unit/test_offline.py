"""Everything that could leave this machine → refused and counted; what stays here → untouched.

Only addresses that are set aside for documentation are named, and only while the guard is up.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from localsel.offline import VARIABLES, NetworkRefused, guard, is_local, set_variables

V4, V6, NAME = "192.0.2.1", "2001:db8::1", "example.invalid"
METHODS = ("connect", "connect_ex", "sendto", "sendmsg")
LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.settimeout(5)
        yield opened


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        yield opened


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """The address of a server on this machine that says back what it hears, once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(99))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()
        thread.join(5)


def patched() -> dict[str, object]:
    """What stands in the places where the guard puts itself."""
    own = {name: vars(socket.socket).get(name) for name in METHODS}
    return own | {name: getattr(socket, name) for name in LOOKUPS}


# --- refused -------------------------------------------------------------------------------------

AWAY: dict[str, Callable[[socket.socket], object]] = {
    "connect": lambda udp: udp.connect((V4, 9)),
    "connect_ex": lambda udp: udp.connect_ex((V4, 9)),
    "sendto": lambda udp: udp.sendto(b"x", (V4, 9)),
    "sendto with flags": lambda udp: udp.sendto(b"x", 0, (V4, 9)),
    "sendmsg": lambda udp: udp.sendmsg([b"x"], [], 0, (V4, 9)),
    "a name instead of an address": lambda udp: udp.connect((NAME, 9)),
    "getaddrinfo": lambda udp: socket.getaddrinfo(NAME, 80),
    "getaddrinfo by keyword": lambda udp: socket.getaddrinfo(host=NAME, port=80),
    "getaddrinfo in bytes": lambda udp: socket.getaddrinfo(NAME.encode(), 80),
    "gethostbyname": lambda udp: socket.gethostbyname(NAME),
    "gethostbyname_ex": lambda udp: socket.gethostbyname_ex(NAME),
    "gethostbyaddr": lambda udp: socket.gethostbyaddr(V4),
    "create_connection": lambda udp: socket.create_connection((NAME, 80), timeout=1),
}


@pytest.mark.parametrize("way", AWAY)
def test_every_way_out_is_refused_and_counted(way: str, udp: socket.socket) -> None:
    with guard() as counter:
        with pytest.raises(NetworkRefused, match=r"192\.0\.2\.1|example\.invalid"):
            AWAY[way](udp)
        assert counter.attempts == 1


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_addresses_of_version_six_are_refused_too(kind: int) -> None:
    with guard() as counter, socket.socket(socket.AF_INET6, kind) as opened:
        with pytest.raises(NetworkRefused):
            opened.connect((V6, 9, 0, 0))
        with pytest.raises(NetworkRefused):
            opened.connect_ex((V6, 9))
        assert counter.attempts == 2


def test_each_attempt_counts(tcp: socket.socket) -> None:
    with guard() as counter:
        for _ in range(5):
            with pytest.raises(NetworkRefused):
                tcp.connect((V4, 9))
        assert counter.attempts == 5


def test_a_refusal_is_an_oserror_so_that_libraries_handle_it() -> None:
    with guard() as counter:
        with pytest.raises(urllib.error.URLError, match="localsel is offline"):
            urllib.request.urlopen(f"http://{NAME}/", timeout=1)
        with pytest.raises(urllib.error.URLError, match="localsel is offline"):
            urllib.request.urlopen(f"http://{V4}:9/", timeout=1)
        assert counter.attempts == 2


def test_requests_is_refused() -> None:
    with guard() as counter:
        with pytest.raises(requests.ConnectionError, match="localsel is offline"):
            requests.get(f"http://{NAME}/", timeout=1)
        assert counter.attempts >= 1


def test_asyncio_is_refused() -> None:
    async def reach() -> None:
        await asyncio.open_connection(V4, 9)

    with guard() as counter:
        with pytest.raises(NetworkRefused):
            asyncio.run(reach())
        assert counter.attempts >= 1


# --- let through ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_can_be_reached(echo: tuple[str, int], host: str) -> None:
    with guard() as counter:
        with socket.create_connection((host, echo[1]), timeout=5) as connection:
            connection.sendall(b"hello")
            assert connection.recv(99) == b"hello"
        assert counter.attempts == 0


def test_datagrams_to_this_machine_arrive(udp: socket.socket) -> None:
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(5)
    with guard() as counter:
        assert udp.sendto(b"a", udp.getsockname()) == 1
        assert udp.sendmsg([b"b"], [], 0, udp.getsockname()) == 1
        assert udp.recv(9) + udp.recv(9) == b"ab"
        udp.connect(udp.getsockname())
        assert udp.sendmsg((b"c", b"d")) == 2
        assert udp.recv(9) == b"cd"
        assert counter.attempts == 0


def test_pipes_between_processes_are_none_of_its_business() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with guard() as counter, left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
        with socket.socket(socket.AF_UNIX) as opened, pytest.raises(FileNotFoundError):
            opened.connect("/nowhere/at/all")
        assert counter.attempts == 0


def test_looking_up_nobody_is_looking_up_this_machine() -> None:
    with guard() as counter:
        assert socket.getaddrinfo(None, 80)
        assert socket.getaddrinfo("127.0.0.1", 80)
        assert socket.gethostbyname("localhost") == "127.0.0.1"
        assert counter.attempts == 0


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "127.8.9.10", "::1", b"127.0.0.1"])
def test_local_hosts(host: str | bytes) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [V4, V6, NAME, NAME.encode(), "0.0.0.0", "255.255.255.255", "10.0.0.1", "fe80::1%lo", None]
    + ["localhost.example.invalid", "127.0.0.1.example.invalid", "<broadcast>", b"\xff", "::"]
    + ["2130706433", "::ffff:192.0.2.1"],
)
def test_hosts_that_are_elsewhere_or_cannot_be_told(host: object) -> None:
    assert not is_local(host)


# --- up and down ---------------------------------------------------------------------------------


def test_the_guard_leaves_nothing_behind() -> None:
    before = patched()
    with guard():
        during = patched()
    assert patched() == before
    assert all(during[name] is not before[name] for name in before)
    assert "connect" not in vars(socket.socket)


def test_the_guard_comes_down_when_something_goes_wrong(tcp: socket.socket) -> None:
    before = patched()
    with pytest.raises(NetworkRefused), guard():
        tcp.connect((V4, 9))
    assert patched() == before


def test_a_guard_inside_another_leaves_the_outer_one_up(tcp: socket.socket) -> None:
    before = patched()
    with guard() as outer:
        with guard() as inner, pytest.raises(NetworkRefused):
            tcp.connect((V4, 9))
        assert (outer.attempts, inner.attempts) == (1, 1)
        with pytest.raises(NetworkRefused):
            tcp.connect((V4, 9))
        with pytest.raises(NetworkRefused):
            socket.getaddrinfo(NAME, 80)
        assert (outer.attempts, inner.attempts) == (3, 1)
    assert patched() == before


def test_guards_may_come_down_in_any_order(tcp: socket.socket) -> None:
    before = patched()
    first, second = ExitStack(), ExitStack()
    early, late = first.enter_context(guard()), second.enter_context(guard())
    first.close()
    with second, pytest.raises(NetworkRefused):
        tcp.connect((V4, 9))
    assert (early.attempts, late.attempts) == (0, 1)
    assert patched() == before


def test_a_second_guard_counts_from_zero(tcp: socket.socket) -> None:
    for _ in range(2):
        with guard() as counter, pytest.raises(NetworkRefused):
            tcp.connect((V4, 9))
        assert counter.attempts == 1


def test_threads_are_guarded_as_well() -> None:
    caught: list[type[Exception]] = []

    def reach() -> None:
        try:
            socket.getaddrinfo(NAME, 80)
        except NetworkRefused as error:
            caught.append(type(error))

    with guard() as counter:
        threads = [threading.Thread(target=reach) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(caught), counter.attempts) == (8, 8)


def test_the_variables_that_libraries_honour(monkeypatch: pytest.MonkeyPatch) -> None:
    promised = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"}
    promised |= {"HF_HUB_DISABLE_TELEMETRY", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"}
    assert {name for name, value in VARIABLES.items() if value == "1"} == promised
    for name in VARIABLES:
        monkeypatch.setenv(name, "0")
    set_variables()
    assert {name: os.environ[name] for name in VARIABLES} == VARIABLES
