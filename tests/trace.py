"""Commands under strace → every network call that they make, and a failure if one would leave.

`python -m tests.trace` (`make trace`) runs a selection through llama.cpp and one through
transformers, and a comparison; words after `--` are another command of localsel. `--prove` plants
a connection that no guard sees, which has to be found. strace has to be installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.conftest import CHECKOUT

CALL = re.compile(r"^\d+\s+(?P<name>\w+)\((?P<rest>.*)$")
SENT = ("connect", "sendto", "sendmsg", "sendmmsg")
FAMILY = re.compile(r"sa_family=(\w+)")
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
INTERNAL = ("AF_UNIX", "AF_NETLINK", "AF_ALG", "AF_UNSPEC")
# A datagram socket that is connected sends nothing: nothing leaves, whatever holds.
PLANTED = (
    "import ctypes, socket, struct\n"
    "library = ctypes.CDLL(None)\n"
    "address = struct.pack('=H', 2) + struct.pack('!H', 9) + bytes([192, 0, 2, 1]) + bytes(8)\n"
    "library.connect(library.socket(2, socket.SOCK_DGRAM, 0), address, len(address))\n"
)


@dataclass(frozen=True)
class Trace:
    """What a command asked the kernel for: how often each call, and which would leave."""

    code: int
    calls: Counter[str]
    leaving: list[str]


def trace(command: Sequence[str]) -> Trace:
    """Runs a command with all its threads and children under strace."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        line = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network", "-o", str(log)]
        done = subprocess.run([*line, *command], check=False)
        with log.open(encoding="utf-8", errors="replace") as lines:
            return Trace(done.returncode, *read(lines))


def read(lines: Iterable[str]) -> tuple[Counter[str], list[str]]:
    """The calls in a log of strace, and those whose address is not of this machine."""
    calls: Counter[str] = Counter()
    leaving = []
    for line in lines:
        found = CALL.match(line)
        if not found:
            continue
        calls[found["name"]] += 1
        if found["name"] in SENT and any(is_away(part) for part in addresses(found["rest"])):
            leaving.append(line.strip())
    return calls, leaving


def addresses(text: str) -> Iterator[str]:
    """The address structures of one call; one without is of a socket that was connected."""
    for start in FAMILY.finditer(text):
        yield text[start.start() : text.find("}", start.start())]


def is_away(address: str) -> bool:
    family = FAMILY.match(address)
    if family and family[1] in INTERNAL:
        return False
    host = ADDRESS.search(address)
    # Of a family that is not known here nothing is assumed.
    return host is None or not ip_address(host[1] or host[2]).is_loopback


def commands(workspace: Path) -> Iterator[list[str]]:
    """What is looked at where nobody says otherwise."""
    pool, models = CHECKOUT / "examples" / "pool.jsonl", CHECKOUT / "models"
    common = ["--threads", "1", "--display", "none", "--workspace", str(workspace)]
    nano = models / "nano-llama"
    weights = str(next(nano.glob("*.gguf")))
    yield ["run", str(pool), "--budget", "5", "--model", weights, *common]
    folder = ["--model", str(nano), "--backend", "transformers"]
    yield ["run", str(pool), "--budget", "5", *folder, *common]
    yield ["compare", str(pool), "--budget", "20", "--model", weights, "--model", "first", *common]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prove", action="store_true", help="find a planted connection")
    parser.add_argument("command", nargs="*", help="words of another command of localsel")
    asked = parser.parse_args()
    if not shutil.which("strace"):
        sys.exit("strace is not installed: `apt-get install strace`, or your system's way.")
    if asked.prove:
        sys.exit(prove())
    with tempfile.TemporaryDirectory() as folder:
        lines = [asked.command] if asked.command else commands(Path(folder, "workspace"))
        sys.exit(max(show(line) for line in lines))


def prove() -> int:
    """0 if a connection past the guard is found."""
    found = trace([sys.executable, "-I", "-c", PLANTED])
    seen = any("192.0.2.1" in line for line in found.leaving)
    print("The planted connection was found." if seen else "The planted connection was MISSED.")
    return 0 if seen else 1


def show(line: Sequence[str]) -> int:
    """1 if something would leave, or the command failed."""
    print("localsel", " ".join(line))
    found = trace([sys.executable, "-P", "-m", "localsel", *line])
    for name, count in sorted(found.calls.items()):
        print(f"  {name:<12} {count:,}")
    for each in found.leaving:
        print(f"  WOULD LEAVE: {each}")
    print(f"  exit code {found.code}, {len(found.leaving)} calls that would leave this machine")
    return 1 if found.leaving or found.code else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
