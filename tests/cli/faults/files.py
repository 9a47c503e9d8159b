"""Parquet, gzip and other containers that are broken; files of other kinds; paths without data."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.cli.faults import GOOD, USAGE, Fault, data, leads_to


def as_parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


def damaged(content: bytes) -> bytes:
    """The same with bytes in its middle overwritten."""
    middle = len(content) // 2
    return content[:middle] + b"\xff" * 40 + content[middle + 40 :]


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data.jsonl", GOOD)


TABLE = as_parquet(pa.table({"instruction": ["A"] * 50, "n": list(range(50))}))
BROKEN = "data is broken Parquet from row 0 on: "
GIVE = "Give JSON, JSONL, CSV, TSV or Parquet"
MEGABYTE = 1 << 20
RUN = "run good.jsonl --budget 2 --method random"

CONTAINERS = [
    data("Parquet cut off", TABLE[:-10], BROKEN),
    data("Parquet of four bytes", b"PAR1", BROKEN),
    data("Parquet with damage inside", damaged(TABLE), BROKEN),
    data("Parquet with noise behind its mark", b"PAR1" + bytes(range(256)), BROKEN),
    data("Parquet that is encrypted", b"PARE" + bytes(range(256)), "data is encrypted Parquet. "),
    data("Parquet of numbers", as_parquet(pa.table({"n": [1, 2], "m": [3, 4]})), "seen: n, m. Say"),
    data("Parquet without columns", as_parquet(pa.table({})), "data holds no rows."),
    data("Parquet cut off in gzip", gzip.compress(TABLE[:-10]), BROKEN),
    data("gzip cut off", gzip.compress(GOOD)[:-20], "data is broken gzip: "),
    data("gzip with damage inside", damaged(gzip.compress(GOOD)), "Copy or pack it again."),
    data("gzip of nothing", gzip.compress(b""), "data is empty."),
    data("gzip in gzip", gzip.compress(gzip.compress(GOOD)), "data is packed with gzip twice."),
    data("gzip of a GB of NUL", gzip.compress(bytes(MEGABYTE)) * 1000, "NUL byte in line 1."),
    data("gzip of 50 MB of line ends", gzip.compress(b"\n" * MEGABYTE) * 50, "holds no rows."),
    data("gzip of 50 MB of brackets", gzip.compress(b"[" * MEGABYTE) * 50, "nested too deeply."),
    data("a zip archive", archive, f"data is a zip archive or an Excel file. {GIVE}"),
    data("a database", database, f"data is an SQLite database. {GIVE}"),
    data(
        "a pickle", pickle.dumps([{"instruction": "A"}]), f"a pickle, which is never opened. {GIVE}"
    ),
    data("a model as data", b"GGUF\3\0\0\0" + bytes(99), f"data is a GGUF model. {GIVE}"),
    data("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", f"data is a PDF document. {GIVE}"),
    data("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", "data is not a text file: "),
]

PATHS = [
    data("a folder as data", Path.mkdir, "data is a folder. Name one file in it."),
    data("a link to nowhere", leads_to("nowhere"), "There is no file data. Check the path."),
    data("a link to itself", leads_to("data"), "DATA data cannot be used: Symlink loop from "),
    data("a pipe that nobody writes to", os.mkfifo, "data is not a regular file. Save its content"),
    data("a device", leads_to("/dev/null"), "data is not a regular file. Save its content"),
    # Root may read everything, but not the beginning of a process's memory.
    data("a file that cannot be read", leads_to("/proc/self/mem"), "data cannot be read: "),
    Fault("no data", "run --budget 2", USAGE, "Missing argument 'DATA'"),
    Fault(
        "an empty name", "run '' --budget 2 --method random", USAGE, "is a folder. Name one file"
    ),
    Fault("no such file", "run no.jsonl --budget 2 --model x", USAGE, "There is no file no.jsonl."),
    Fault("a name too long", f"run {'x' * 300} --budget 2", USAGE, "cannot be used: File name too"),
    Fault(
        "a file as folder", "run good.jsonl/data --budget 2 --method random", USAGE, "no file good"
    ),
    Fault(
        "a name that colours the screen",
        "run 'a\x1b[31m\nb' --budget 2 --method random",
        USAGE,
        "There is no file a␛[31m ⏎ b. Check the path.",
    ),
    Fault(
        "a name that is not UTF-8",
        "run a\udce9 --budget 2 --method random",
        USAGE,
        "DATA a� cannot be used: its name is not UTF-8; rename it.",
        {"a\udce9": GOOD},
    ),
    Fault("two files", "run good.jsonl 'b\nc' --budget 2", USAGE, "extra argument (b ⏎ c)"),
]

MAPS = [
    Fault("a map of nothing", f"{RUN} --map question", USAGE, "--map question: expected instruc"),
    Fault(
        "a map of an unknown role", f"{RUN} --map prompt=a", USAGE, "--map prompt=a: expected in"
    ),
    Fault("a map to nothing", f"{RUN} --map instruction=", USAGE, "expected instruction=COL"),
    Fault(
        "a map to a missing column",
        f"{RUN} --map instruction=x",
        USAGE,
        "good.jsonl has no column 'x'; columns seen: instruction. Say which column holds the",
    ),
    Fault("a map to a missing input", f"{RUN} --map input=x", USAGE, "has no column 'x'; columns"),
]

FAULTS: list[Fault] = [*CONTAINERS, *PATHS, *MAPS]
