"""Everything that could leave this machine → refused and counted; what stays here → untouched.

Only addresses that are set aside for documentation are named, and only while the guard is up.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from localsel.health import airgap
from localsel.offline import (
    TOLD,
    VARIABLES,
    NetworkRefused,
    guard,
    is_local,
    set_variables,
    told,
    told_of_all,
)
from localsel.refusals import NAMED

V4, V6, NAME = "192.0.2.1", "2001:db8::1", "example.invalid"
METHODS = ("connect", "connect_ex", "sendto", "sendmsg")
LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")


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
    "getnameinfo": lambda udp: socket.getnameinfo((V4, 80), 0),
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


def test_sockets_that_leave_by_other_ways_are_refused() -> None:
    class Elsewhere(socket.socket):
        """To the machine that this one may be a guest of."""

        family = property(lambda self: 40)  # type: ignore[assignment]

    with guard() as counter, Elsewhere() as opened:
        with pytest.raises(NetworkRefused):
            opened.connect((2, 1024))
        assert [each["to"] for each in counter.refused] == ["(2, 1024)"]


KEPT = """
import _socket, json, os, sys
from socket import AF_INET, SOCK_DGRAM, getaddrinfo, gethostbyname, getnameinfo
from localsel import namespace
from localsel.offline import NetworkRefused, guard
place = ("192.0.2.1", 9)
udp = _socket.socket(AF_INET, SOCK_DGRAM)
ways = [lambda: udp.connect(place), lambda: udp.connect_ex(place), lambda: udp.sendto(b"x", place)]
ways += [lambda: udp.sendmsg([b"x"], [], 0, place), lambda: getaddrinfo("192.0.2.1", 80)]
ways += [lambda: gethostbyname("192.0.2.1"), lambda: getnameinfo(place, 0)]
refused = 0
# Nothing leaves, should the guard fail.
namespace.enter()
with guard() as counter:
    for way in ways:
        try:
            way()
        except NetworkRefused:
            refused += 1
    udp.connect(("127.0.0.1", 9))
print(json.dumps([refused, counter.attempts, len(ways)]))
"""


def test_functions_that_were_kept_from_before_are_refused_too() -> None:
    line = [sys.executable, "-I", "-c", KEPT]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [7, 7, 7]


# --- named ---------------------------------------------------------------------------------------


def test_every_attempt_is_named_with_its_place_and_who_made_it(udp: socket.socket) -> None:
    with guard() as counter:
        for _ in range(2):
            with pytest.raises(NetworkRefused):
                udp.sendto(b"x", (V4, 9))
        with pytest.raises(NetworkRefused):
            socket.getaddrinfo(NAME.encode(), 80)
        with socket.socket(socket.AF_INET6) as opened, pytest.raises(NetworkRefused):
            opened.connect((V6, 9))
    # Whatever ran the tests began it.
    found = [(each["to"], each["how"], each["times"]) for each in counter.refused]
    assert found == [
        (f"{V4}:9", "sendto", 2),
        (NAME, "getaddrinfo", 1),
        (f"[{V6}]:9", "connect", 1),
    ]
    assert all(each["by"] for each in counter.refused)


def test_a_plug_in_is_named_and_not_the_library_that_it_called(tmp_path: Path) -> None:
    """As it stands when localsel calls a plug-in, which calls requests."""
    source = "import requests\ndef fetch(): requests.get('http://192.0.2.1/', timeout=1)\n"
    calls = {"localsel.methods.any": "def call(fetch): fetch()\n", "spy.inner": source}
    spaces: dict[str, dict[str, Any]] = {name: {"__name__": name} for name in calls}
    for name, text in calls.items():
        exec(text, spaces[name])
    with guard() as counter, pytest.raises(requests.ConnectionError):
        spaces["localsel.methods.any"]["call"](spaces["spy.inner"]["fetch"])
    (found,) = counter.refused
    assert (found["to"], found["by"]) == ("192.0.2.1", "spy.inner")


def test_all_are_counted_but_only_some_named() -> None:
    with guard() as counter:
        for number in range(50):
            with pytest.raises(NetworkRefused):
                socket.gethostbyname(f"{number}.example.invalid")
        with pytest.raises(NetworkRefused):
            socket.gethostbyname("0.example.invalid")
    assert counter.attempts == 51
    assert len(counter.refused) == NAMED
    assert counter.refused[0]["times"] == 2


ALLOWED = """
import json, socket
from localsel.offline import NetworkRefused, guard
with guard(), guard(allowed=["0.0.0.0", "2130706433", "a.invalid"]) as counter:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("0.0.0.0", 9))
        udp.sendto(b"x", ("0.0.0.0", 9))
        found = socket.getaddrinfo("2130706433", 9)
        try:
            udp.connect(("0.0.0.1", 9))
        except NetworkRefused:
            print(json.dumps([counter.passed, counter.refused, sorted(counter.allowed)]))
"""


def test_a_host_that_is_allowed_passes_and_is_named() -> None:
    """Two ways to write this machine that look like others: no test may leave it."""
    line = [sys.executable, "-I", "-c", ALLOWED]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    passed, refused, allowed = json.loads(done.stdout)
    assert [(each["to"], each["how"], each["times"]) for each in passed] == [
        ("0.0.0.0:9", "connect", 1),
        ("0.0.0.0:9", "sendto", 1),
        ("2130706433", "getaddrinfo", 1),
    ]
    assert [each["to"] for each in refused] == ["0.0.0.1:9"]
    # Whoever may be looked up may be reached at the address that was found.
    assert allowed == ["0.0.0.0", "127.0.0.1", "2130706433", "a.invalid"]


def test_what_several_processes_tell_is_one_record() -> None:
    one = {"to": "a:1", "by": "spy", "how": "connect", "times": 2}
    open_ = {"guard": True, "namespace": False, "why": "no more", "allowed": [one]}
    held = open_ | {"namespace": True, "why": "", "allowed": []}
    first = dict(zip(TOLD, (2, [one], held), strict=True))
    second = dict(zip(TOLD, (3, [one | {"times": 3}], open_), strict=True))
    assert told_of_all([first, {}, second]) == {
        "connections_attempted": 5,
        "connections_refused": [one | {"times": 5}],
        "offline": open_,
    }
    older = {"connections_attempted": 1}
    assert told_of_all([first, older])["connections_attempted"] == 3
    assert told_of_all([first, older])["offline"] is None


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


def test_a_guard_that_something_took_away_is_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with guard() as counter:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", lambda *given: None)
            assert told(counter)["offline"]["guard"] is False
            # Nothing is attempted then.
            assert airgap.guard().state == "failure"
        assert told(counter)["offline"]["guard"] is True
        with guard() as other:
            assert told(other)["offline"]["guard"] is True
    assert told(counter)["offline"]["guard"] is False
