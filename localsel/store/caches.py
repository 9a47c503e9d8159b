"""Caches: vectors by text and embedder, digests of files by path and time stamp."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsel.errors import WorkspaceError
from localsel.records import Vectors
from localsel.store.database import Database, failure

FEW = 100
"""Texts that are faster looked for one by one."""
AT_ONCE = 500
"""Scores that one question asks for."""


class Caches(Database):
    """Reads and writes what can be computed again."""

    def cached_vectors(self, embedder: str, texts: Sequence[bytes]) -> tuple[Vectors, list[int]]:
        """Vectors [n, d] of texts, given by digest, and the places of those that are missing.

        With nothing cached d is 0: only the embedder knows its width.
        """
        where = self._where(embedder, texts)
        by_chunk: dict[str, list[tuple[int, int]]] = {}
        for index, text in enumerate(texts):
            if text in where:
                chunk, place = where[text]
                by_chunk.setdefault(chunk, []).append((index, place))
        vectors = np.empty((len(texts), 0), dtype=np.float32)
        missing = {index for index, text in enumerate(texts) if text not in where}
        for chunk, places in by_chunk.items():
            targets, sources = zip(*places, strict=True)
            stored = self._chunk(chunk)
            if stored is None:
                missing.update(targets)
                continue
            if not vectors.shape[1]:
                vectors = np.empty((len(texts), stored.shape[1]), dtype=np.float32)
            vectors[list(targets)] = stored[list(sources)]
        return vectors, sorted(missing)

    def _where(self, embedder: str, texts: Sequence[bytes]) -> dict[bytes, tuple[str, int]]:
        """Chunk and place of every vector of an embedder, or of a few texts only those."""
        found = "SELECT text, chunk, place FROM vectors WHERE embedder = ?"
        if len(texts) < FEW:
            each = (self._one(f"{found} AND text = ?", embedder, text) for text in texts)
            return {row["text"]: (row["chunk"], row["place"]) for row in each if row}
        return {row["text"]: (row["chunk"], row["place"]) for row in self._rows(found, embedder)}

    def scores(self, measure: str, texts: Sequence[bytes]) -> dict[bytes, Any]:
        """What was measured of texts, given by digest; of those that are missing nothing."""
        found: dict[bytes, Any] = {}
        for start in range(0, len(texts), AT_ONCE):
            some = texts[start : start + AT_ONCE]
            marks = ", ".join("?" * len(some))
            asked = f"SELECT text, value FROM scores WHERE measure = ? AND text IN ({marks})"
            rows = self._rows(asked, measure, *some)
            found |= {row["text"]: json.loads(row["value"]) for row in rows}
        return found

    def add_scores(self, measure: str, values: Mapping[bytes, Any]) -> None:
        """Keeps what was measured of texts: numbers, lists of them, or words."""
        with self._transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?)",
                ((measure, text, json.dumps(value)) for text, value in values.items()),
            )

    def graph(self, name: str) -> Path:
        """Where the graph of neighbours of that name is kept."""
        return self.home / "indexes" / f"{name[:24]}.hnsw"

    def _chunk(self, name: str) -> Vectors | None:
        """Vectors that were written together; None if their file is gone or broken."""
        try:
            found: Vectors = np.load(self.home / "vectors" / f"{name}.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return found

    def add_vectors(self, embedder: str, texts: Sequence[bytes], vectors: Vectors) -> None:
        """Keeps vectors [n, d]: first the array, then the keys that point into it."""
        chunk = f"{embedder[:12]}-{secrets.token_hex(8)}"
        path = self.home / "vectors" / f"{chunk}.npy"
        partial = path.with_suffix(".partial")
        self.refuse_unwritable()
        try:
            partial.write_bytes(_npy(vectors))
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise failure(f"Vectors cannot be kept in {path.parent}", error) from error
        try:
            with self._transaction() as database:
                database.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                    ((embedder, text, chunk, place) for place, text in enumerate(texts)),
                )
        except WorkspaceError:
            # On a full disk, what nothing points to would stay in the way.
            path.unlink(missing_ok=True)
            raise

    def map_file(self, pool: str, name: str) -> Path:
        """Where the points of a pool are kept."""
        return self.home / "maps" / f"{pool[:24]}-{name[:24]}.npy"

    def keep_map(self, path: Path, content: bytes | NDArray[Any]) -> None:
        """Puts a file of points, or what is said of them, in its place as a whole."""
        self.refuse_unwritable()
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            partial.touch(mode=0o600)
            partial.write_bytes(content if isinstance(content, bytes) else _npy(content))
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise failure(f"The map cannot be kept in {path.parent}", error) from error

    def digest(self, path: Path, compute: Callable[[Path], str]) -> str:
        """The digest of a file or folder, computed only if it is new or was written since."""
        if known := self.cached_digest(path):
            return known
        # Before computing: what is written meanwhile then shows as a change.
        stamp = _stamp(path) if path.exists() else ""
        sha256 = compute(path)
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                (str(path.resolve()), stamp, sha256),
            )
        return sha256

    def cached_digest(self, path: Path) -> str | None:
        """The digest of a file or folder seen before and not written since."""
        row = self._one("SELECT stamp, sha256 FROM files WHERE path = ?", str(path.resolve()))
        return row["sha256"] if row and path.exists() and row["stamp"] == _stamp(path) else None


def _npy(array: NDArray[Any]) -> memoryview:
    """A file of it. Who writes it is Python, whose errors say what is wrong; numpy's say how many
    bytes.
    """
    content = BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getbuffer()


def _stamp(path: Path) -> str:
    """Changes when a file or anything in a folder is written."""
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [os.stat(each) for each in paths]
    return ";".join(f"{state.st_size}:{state.st_mtime_ns}:{state.st_ino}" for state in states)
