"""What tests share: the command in a process of its own, a selector, and the example pool, embedded
once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.once import once
from tests.vocabularies import cached_model

CHECKOUT = Path(__file__).parent.parent

# As localsel sets it for itself, here before any library: threads that wait take nobody's core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Readline, if anything imports it, tells all that follow the size of a terminal that is not theirs.
for each in ("COLUMNS", "LINES"):
    os.environ.pop(each, None)

# In this process and in every child: whatever gets past localsel's own guard ends here.
BLOCK = """
import ipaddress, sys

def block(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    try:
        # 0.0.0.0 leads here, too, though nothing says so but the kernel.
        local = name in (None, "", "localhost", "0.0.0.0") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        raise RuntimeError(f"a test tried to reach {host}")

sys.addaudithook(block)
"""


# Of the cores that there are; each process takes about 1.5 GB with what it starts.
MOST_PROCESSES = 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """In how many processes `make test` runs the tests: `--numprocesses auto`."""
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-snapshots", action="store_true", help="Keep the screens as they are now."
    )


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @cached_property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """Stdout as JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def complaint(self) -> str:
        """The last thing said."""
        return self.stderr.strip().splitlines()[-1] if self.stderr.strip() else ""


class Command:
    """`localsel` in a fresh process, at home in a folder that holds nothing else."""

    def __init__(self, folder: Path, blocker: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if "LOCALSEL" not in name and name not in ("NO_COLOR", "OMP_WAIT_POLICY")
        } | {
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "share"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONPATH": str(blocker),
            "TERM": "xterm-256color",
        }

    def __call__(self, *arguments: object, **environment: str) -> Done:
        done = subprocess.run(
            self._line(arguments),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object, **streams: Any) -> subprocess.Popen[str]:
        """The command on its way, for who wants to disturb it."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL} | streams
        return subprocess.Popen(
            self._line(arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            **streams,
        )

    @staticmethod
    def _line(arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "localsel", *map(str, arguments)]


@dataclass(frozen=True)
class Finished:
    """A run that is over, to look at. Whoever writes to its workspace takes a copy."""

    workspace: Path
    id: str
    record: Mapping[str, Any]
    picks: list[dict[str, Any]]


@pytest.fixture(scope="session", autouse=True)
def blocker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, on a child's path, keeps it from the network; this process is kept too."""
    folder = tmp_path_factory.mktemp("blocker")
    (folder / "sitecustomize.py").write_text(BLOCK)
    exec(BLOCK, {})
    return folder


@pytest.fixture(scope="session")
def example_pool() -> Path:
    return CHECKOUT / "examples" / "pool.jsonl"


@pytest.fixture(scope="session")
def selector() -> Path:
    """Real weights: the nano selector, or a model of random weights where it is not built."""
    bundled = sorted((CHECKOUT / "models" / "nano-llama").glob("*.gguf"))
    return bundled[0] if bundled else cached_model("llama-2")


@pytest.fixture
def localsel(tmp_path: Path, blocker: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(home, blocker)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, selector: Path) -> Path:
    """A small bundle with a model that is a link here. Whoever damages it takes a copy."""
    from localsel.bundle.contents import Wanted
    from tests.bundles import FEW, make

    def fill(folder: Path) -> None:
        linked = folder / "linked.gguf"
        linked.symlink_to(selector)
        make(folder / "bundle", Wanted(models=(linked,)), FEW)

    return once(tmp_path_factory, "bundle", fill) / "bundle"


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory, blocker: Path, example_pool: Path) -> Path:
    """A workspace without runs that has the vectors of the example pool."""

    def fill(folder: Path) -> None:
        localsel = Command(folder, blocker)
        at = ("--workspace", folder / "workspace")
        # One thread: on busy cores two wait for each other most of the time.
        quietly = ("--threads", 1, *at)
        ran = localsel("run", example_pool, "--budget", 5, "--model", "first", *quietly)
        assert ran.code == 0, ran.stderr
        assert localsel("rm", "last", "--yes", *at).code == 0

    return once(tmp_path_factory, "embedded", fill) / "workspace"


@pytest.fixture
def workspace(embedded: Path, tmp_path: Path) -> Path:
    """A workspace of the test's own, in which the example pool need not be embedded again."""
    return Path(shutil.copytree(embedded, tmp_path / "workspace"))


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, embedded: Path, example_pool: Path
) -> Finished:
    def fill(folder: Path) -> None:
        workspace = shutil.copytree(embedded, folder / "workspace")
        ran = Command(folder, blocker)(
            *("run", example_pool, "--budget", 20, "--model", "random:7", "--json"),
            *("--workspace", workspace, "--out", folder / "picks.jsonl"),
        )
        assert ran.code == 0, ran.stderr
        (folder / "record.json").write_text(ran.stdout, encoding="utf-8")

    folder = once(tmp_path_factory, "finished", fill)
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    lines = (folder / "picks.jsonl").read_text(encoding="utf-8").splitlines()
    return Finished(folder / "workspace", record["id"], record, list(map(json.loads, lines)))


def events_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """The events of a command started with `--display json`, as they come."""
    assert process.stdout is not None
    yield from map(json.loads, process.stdout)
