"""Processes that enter a namespace → what they cannot reach any more, and what stays theirs.

Every one is a child: nobody comes out of a namespace again. Where the kernel lets no user make
one, what is shown is that nothing is half done, and that the reason is named.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from localsel.health import airgap
from localsel.store import Store
from tests.confining import can_confine, confined

ENTER = """
import json, os
from localsel import namespace, offline
def links():
    return [os.readlink(f"/proc/self/ns/{name}") for name in ("net", "user")]
before = links()
"""
TELL = """
standing = namespace.standing()
seen = {"held": standing.held, "why": standing.why, "moved": links() != before}
print(json.dumps(seen | {"user": os.getuid(), "value": locals().get("value")}))
"""
ENTERED = "namespace.enter()"
# Through the C library alone, as native code goes.
NATIVELY = """
import ctypes, socket, struct
def reach():
    library = ctypes.CDLL(None, use_errno=True)
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", 80)
    address += socket.inet_aton("192.0.2.1") + bytes(8)
    opened = library.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    return ctypes.get_errno() if library.connect(opened, address, len(address)) else 0
"""


def child(code: str, *before: str) -> dict[str, Any]:
    """What a fresh process tells that runs `code`; `before` is put before its command."""
    line = [*before, sys.executable, "-I", "-c", ENTER + code + TELL]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def may_enter() -> bool:
    """As root, or where users may make namespaces; asked without localsel."""
    net = "import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x40000000) != 0)"
    alone = subprocess.run([sys.executable, "-I", "-c", net], check=False).returncode == 0
    return alone or can_confine()


def test_a_process_leaves_the_network_where_the_kernel_lets_it(may_enter: bool) -> None:
    found = child(ENTERED)
    assert (found["held"], found["moved"], not found["why"]) == (may_enter,) * 3
    assert found["user"] == os.getuid()


def test_native_code_and_children_have_no_way_out(may_enter: bool) -> None:
    grandchild = "import subprocess, sys; " + (
        "value = [reach() if namespace.standing().held else 101, subprocess.run([sys.executable,"
        " '-I', '-c', 'import socket; print([name for _, name in socket.if_nameindex()])'],"
        " capture_output=True, text=True).stdout]"
    )
    unreachable, interfaces = child(ENTERED + "\n" + NATIVELY + grandchild)["value"]
    assert os.strerror(unreachable) == "Network is unreachable"
    if may_enter:
        assert "lo" in interfaces
        assert "eth" not in interfaces


def test_this_machine_can_still_be_spoken_to() -> None:
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname(), timeout=5) as opened:
        other, _ = server.accept()
        with other:
            opened.sendall(b"hello")
            value = other.recv(9).decode()
"""
    assert child(ENTERED + code)["value"] == "hello"


def test_files_and_locks_are_shared_with_those_outside(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from localsel.store import Store
store = Store(Path({str(tmp_path)!r}) / "workspace")
with store.lock("0" * 8):
    (Path({str(tmp_path)!r}) / "new").write_text("x")
    print("locked", flush=True)
    sys.stdin.readline()
"""
    line = [sys.executable, "-I", "-c", ENTER + ENTERED + code]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdin and inside.stdout
        assert inside.stdout.readline() == "locked\n"
        with closing(Store(tmp_path / "workspace")) as store:
            assert store.is_locked("0" * 8)
            assert store.owner("0" * 8)["pid"] == inside.pid  # type: ignore[index]
            inside.stdin.write("\n")
            inside.stdin.flush()
            assert inside.wait(30) == 0
            assert not store.is_locked("0" * 8)
    assert (tmp_path / "new").stat().st_uid == os.getuid()
    assert (tmp_path / "workspace" / "localsel.db").stat().st_uid == os.getuid()


def test_a_process_with_threads_stays_where_it_is() -> None:
    code = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
namespace.enter()
"""
    found = child(code)
    assert (found["held"], found["moved"]) == (False, False)
    assert found["why"] == "the process had started threads"


def test_where_the_kernel_refuses_everything_is_as_it_was() -> None:
    found = child(ENTERED, *(confined("refused") if can_confine() else ()))
    if can_confine():
        assert found["why"] == "the kernel refuses it: no more are allowed"
    assert found["moved"] is found["held"] is not bool(found["why"])
    assert found["user"] == os.getuid()


def test_one_namespace_inside_another(may_enter: bool) -> None:
    found = child(ENTERED, *(confined("inside") if can_confine() else ()))
    assert found["held"] is (may_enter or can_confine())


def test_entering_twice_is_entering_once() -> None:
    once, twice = child(ENTERED), child(f"{ENTERED}\n{ENTERED}")
    assert once == twice


def test_who_asks_a_server_outside_stays_outside() -> None:
    found = child("offline.seal(served=True)")
    assert (found["held"], found["moved"]) == (False, False)
    assert found["why"] == "the server that it asks is outside"
    assert child("offline.seal()") == child(ENTERED)


def test_who_never_asked_stays_where_it_is() -> None:
    line = [sys.executable, "-I", "-c", ENTER + TELL]
    found = json.loads(subprocess.check_output(line, text=True))
    assert (found["held"], found["moved"]) == (False, False)
    assert found["why"].startswith("localsel was called by another program")


def test_an_attempt_from_inside_finds_no_route(may_enter: bool) -> None:
    code = ENTERED + "\nvalue = namespace.attempt() if namespace.standing().held else 101"
    assert os.strerror(child(code)["value"]) == "Network is unreachable"


# Loopback gets 192.0.2.2 beside its own address: the kernel then takes all of 192.0.2.0/24 for it.
ROUTED = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("192.0.2.2"))
    fcntl.ioctl(asking, 0x8916, struct.pack("16s16s", b"lo:1", address))
value = namespace.attempt()
"""


def test_a_namespace_with_a_route_does_not_pass_for_closed(may_enter: bool) -> None:
    """With nobody behind it, the attempt is refused or times out: it has left all the same."""
    if may_enter:
        assert airgap.judged(child(f"{ENTERED}\n{ROUTED}")["value"]).state == "failure"
    assert airgap.judged(errno.ENETUNREACH).state == "ok"
    ways = [0, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EIO]
    assert {airgap.judged(way).state for way in ways} == {"failure"}
    assert "timed out" in airgap.judged(errno.ETIMEDOUT).seen


@pytest.mark.parametrize("step", ["_step_in", "_map_names"])
def test_a_child_never_goes_on_as_a_second_process(step: str) -> None:
    """Whatever a step raises, with whoever called waiting for it further up."""
    code = f"""
def fail(*given):
    raise RuntimeError("unforeseen")
namespace.{step} = fail
library = namespace.ctypes.CDLL(None)
class Asked:
    # As for people without privileges: only a user namespace is allowed.
    unshare = staticmethod(lambda kinds: -1 if kinds == namespace.NEWNET else 0)
if {step!r} == "_map_names":
    namespace.ctypes.CDLL = lambda *given, **options: Asked
try:
    namespace.enter()
except RuntimeError:
    pass
"""
    found = child(code)
    assert (found["held"], found["moved"]) == (False, False)
    assert found["why"] == "the kernel refuses it: Input/output error"
