"""Embedder, models and workspace → whether they are there, whole, and their owner's alone."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from localsel.errors import LocalselError
from localsel.health.finding import Finding, attempt, installed
from localsel.selectors import model_name, weights
from localsel.store import Store

LITTLE_DISK = 2 * 2**30
ELSEWHERE = "Choose another with --workspace."


def embedder() -> Finding:
    def look() -> str:
        from localsel.stages.embed import default_embedder, folder_fingerprint

        digest = folder_fingerprint(default_embedder())
        return f"sentence-transformers {installed('sentence-transformers')}, model {digest[:8]}"

    return attempt("embedder", look, "Run `make install` again, or give --embedder PATH.")


def models(workspace: Path) -> Finding:
    names = [model_name(path) for path in weights(workspace)]
    if names:
        return Finding("models", "ok", ", ".join(names))
    return Finding(
        "models",
        "warning",
        "no model found",
        "`localsel models add PATH`, or put one into ./models.",
    )


def workspace(folder: Path) -> Finding:
    """Opens it as a run would, and has SQLite look through all of it."""

    def look() -> str:
        with closing(Store(folder)) as store:
            store.refuse_unwritable()
        with closing(sqlite3.connect(folder / "localsel.db")) as database:
            state = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
        if state != "ok":
            raise LocalselError(f"the database in {folder} is damaged: {state}")
        return f"{folder}: database whole, {runs:,} runs"

    found = attempt("workspace", look, ELSEWHERE)
    if found.state == "ok" and folder.stat().st_mode & 0o077:
        return Finding(
            "workspace", "warning", f"others may look into {folder}", f"chmod 700 {folder}"
        )
    return found


def disk(folder: Path) -> Finding:
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
    free = shutil.disk_usage(there).free
    seen = f"{free / 2**30:.1f} GiB free for the workspace"
    if free < LITTLE_DISK:
        return Finding("disk", "warning", seen, "Make room: 2 GiB are advised.")
    return Finding("disk", "ok", seen)
