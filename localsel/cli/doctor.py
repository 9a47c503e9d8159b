"""`localsel doctor`: this machine → what works, what does not, what to do."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import click

from localsel import offline
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table
from localsel.errors import LocalselError
from localsel.selectors import weights
from localsel.store import Store

FAILED = 3
# TEST-NET-1 of RFC 5737: no machine has it, and the guard refuses before any packet leaves.
DOCUMENTATION_ADDRESS = ("192.0.2.1", 80)
LITTLE_DISK = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was seen, and what to do about it."""

    what: str
    state: Literal["ok", "warning", "failure"]
    seen: str
    advice: str = ""


@click.command("doctor")
@workspace_option
@json_option
def command(workspace: Path | None, as_json: bool) -> None:
    """Check what localsel needs. Exit code 3 if something that it cannot do without fails."""
    offline.set_variables()
    folder = home(workspace)
    findings = [look() for look in (python, machine, embedder, llamacpp, outlines, guard)]
    findings += [selectors(folder), workspace_health(folder)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows: list[list[object]] = [list(asdict(finding).values()) for finding in findings]
        print_table(["check", "", "seen", "what to do"], rows)
    if any(finding.state == "failure" for finding in findings):
        raise click.exceptions.Exit(FAILED)


def attempt(what: str, look: Callable[[], str], advice: str) -> Finding:
    """Whatever a library raises here is the finding."""
    try:
        return Finding(what, "ok", look())
    except Exception as error:  # noqa: BLE001 - a doctor reports, whatever it is
        return Finding(
            what, "failure", (str(error) or type(error).__name__).splitlines()[0][:200], advice
        )


def python() -> Finding:
    seen = f"{sys.version.split()[0]}, localsel {version('localsel')}"
    good = sys.version_info >= (3, 11)
    return Finding(
        "python", "ok" if good else "failure", seen, "" if good else "Use 3.11 or later."
    )


def machine() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    seen = f"{len(os.sched_getaffinity(0))} cores, {memory.available / 2**30:.1f} GiB memory free"
    return Finding("machine", "ok", seen)


def embedder() -> Finding:
    def look() -> str:
        from localsel.stages.embed import default_embedder, folder_fingerprint

        digest = folder_fingerprint(default_embedder())
        return f"sentence-transformers {version('sentence-transformers')}, model {digest[:8]}"

    return attempt("embedder", look, "Run `make install` again, or give --embedder PATH.")


def llamacpp() -> Finding:
    def look() -> str:
        import llama_cpp

        gpu = "with GPU" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
        return f"llama-cpp-python {llama_cpp.__version__}, {gpu}"

    return attempt("llamacpp", look, "Run `make install` again; it needs cmake and a compiler.")


def outlines() -> Finding:
    """Masks three logits for real: a missing numba would otherwise lose the constraint silently."""

    def look() -> str:
        import numpy as np

        from localsel.backends.constraint import Constraint

        constraint = Constraint({0: b"7", 1: b"1", 2: b"]", 3: b"no"}, eos=4)
        scores = constraint.score(["7", "1"], lambda path: np.zeros(5, dtype=np.float32))
        if not np.allclose(np.exp(scores), 0.5):
            raise LocalselError("Outlines did not hold the constraint")
        return f"outlines-core {version('outlines-core')}, constraint held"

    return attempt("outlines", look, "Run `make install` again; numba has to be there.")


def guard() -> Finding:
    """One attempt inside the guard, which raises before any system call."""
    with offline.guard() as counter, socket.socket() as probe:
        try:
            probe.connect(DOCUMENTATION_ADDRESS)
        except offline.NetworkRefused:
            return Finding(
                "offline", "ok", f"{counter.attempts} of 1 attempts refused by the guard"
            )
        except OSError as error:
            return Finding("offline", "failure", str(error), "The guard did not hold; report this.")
    return Finding("offline", "failure", "a connection left the guard", "Report this.")


def selectors(workspace: Path) -> Finding:
    names = [path.stem for path in weights(workspace)]
    if names:
        return Finding("models", "ok", ", ".join(names))
    return Finding("models", "warning", "no GGUF file found", "Put one into ./models.")


def workspace_health(folder: Path) -> Finding:
    def look() -> str:
        with closing(Store(folder)):
            pass
        with closing(sqlite3.connect(folder / "localsel.db")) as database:
            state = database.execute("PRAGMA quick_check").fetchone()[0]
        if state != "ok":
            raise LocalselError(f"the database is damaged: {state}")
        return f"{folder}, {shutil.disk_usage(folder).free / 2**30:.1f} GiB free"

    found = attempt("workspace", look, "Choose another with --workspace.")
    if found.state == "ok" and shutil.disk_usage(folder).free < LITTLE_DISK:
        return Finding("workspace", "warning", found.seen, "Little disk left: 2 GiB are advised.")
    return found
