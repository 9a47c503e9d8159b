"""A path → a source of bytes or text, unpacked and of known encoding, or a refusal."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from localsel.errors import InputError
from localsel.stages.load.encodings import marked_encoding, probable_encoding

CHUNK = 1 << 20
PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
STRANGE = {
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"ARROW1": "an Arrow file",
    b"PARE": "encrypted Parquet",
    b"SQLite format 3": "an SQLite database",
    b"GGUF": "a GGUF model",
    b"%PDF-": "a PDF document",
    **{bytes((0x80, protocol)): "a pickle, which is never opened" for protocol in range(2, 6)},
}
"""First bytes of files that people try, and what they are."""

NOTHING = "Give a file with at least one instruction."


@dataclass(frozen=True, slots=True)
class Source:
    """A readable file. `encoding` is empty for Parquet, which has no text to decode."""

    path: Path
    packed: bool
    encoding: str

    def binary(self) -> BinaryIO:
        if self.packed:
            return cast(BinaryIO, gzip.open(self.path, "rb"))
        return self.path.open("rb")

    def text(self, newline: str) -> TextIO:
        """The text without its byte order mark; `newline` as for `open`."""
        stream = io.TextIOWrapper(self.binary(), encoding=self.encoding, newline=newline)
        if stream.read(1) != "\ufeff":
            stream.seek(0)
        return stream


def check_file(path: Path) -> None:
    """Raises InputError unless there is a file whose first byte can be read."""
    with readable(path), path.open("rb") as file:
        file.read(1)


def open_source(path: Path, encoding: str | None = None, whole: bool = True) -> Source:
    """Looks at every byte once, so that a file that cannot be read is refused before any work.

    Not `whole`: at those of its beginning only.

    Raises:
        InputError: no such file, empty, broken gzip, not text, or not text in this encoding.
    """
    if encoding is not None:
        _check_name(encoding)
    with readable(path):
        packed = _start(Source(path, False, "")).startswith(GZIP)
        start = _start(Source(path, packed, ""))
        if start.startswith(PARQUET):
            return Source(path, packed, "")
        _check_start(path, start)
        name = encoding or marked_encoding(start)
        return Source(path, packed, _check_text(Source(path, packed, name), encoding, whole))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what the system says about a path into a sentence."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder.", "Name one file in it.")
        if not path.exists():
            raise InputError(f"There is no file {path}.", "Check the path.")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file.", "Save its content to a file first.")
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is broken gzip: {error}.", "Copy or pack it again.") from error
    except OSError as error:
        why = error.strerror or error
        hint = "Check the path and its permissions."
        raise InputError(f"{path} cannot be read: {why}.", hint) from error


def _start(source: Source) -> bytes:
    with source.binary() as stream:
        return stream.read(4096)


def _check_name(encoding: str) -> None:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError) as error:
        raise InputError(
            f"--encoding {encoding} is not an encoding that Python knows.",
            "Common ones: utf-16, gb18030, cp932, euc_kr, big5, cp1252.",
        ) from error


def _check_start(path: Path, start: bytes) -> None:
    if not start:
        raise InputError(f"{path} is empty.", NOTHING)
    if start.startswith(GZIP):
        raise InputError(f"{path} is packed with gzip twice.", "Unpack it once.")
    for magic, what in STRANGE.items():
        if start.startswith(magic):
            raise InputError(
                f"{path} is {what}.", "Give JSON, JSONL, CSV, TSV or Parquet, plain or as .gz."
            )


def _check_text(source: Source, asked: str | None, whole: bool) -> str:
    """The encoding, once the file, or its beginning, has been decoded with it.

    A UTF-16 or UTF-32 file that nobody asked to read as such is refused like any other.
    """
    name = source.encoding
    if asked is None and not name.startswith("utf-8"):
        raise _not_utf8(source.path, name, "it starts with another byte order mark")
    decoder = codecs.getincrementaldecoder(name)()
    line, blank = 1, True
    with source.binary() as stream:
        while chunk := stream.read(CHUNK):
            text = _decoded(source.path, asked, decoder, chunk, line)
            line += text.count("\n")
            blank = blank and not text.strip("\ufeff \t\r\n")
            if not (whole or blank):
                return name
        _decoded(source.path, asked, decoder, b"", line)
    if blank:
        raise InputError(f"{source.path} holds no rows.", NOTHING)
    return name


def _decoded(
    path: Path, asked: str | None, decoder: codecs.IncrementalDecoder, chunk: bytes, line: int
) -> str:
    """The text of the next bytes, which begin in `line`."""
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        raise _undecodable(path, asked, error, line) from error
    except UnicodeError as error:
        raise InputError(f"{path} is not {asked}: {error}.", "Try another --encoding.") from error
    if "\0" in text:
        raise _nul(path, asked, chunk, line + text[: text.index("\0")].count("\n"))
    return text


def _undecodable(path: Path, asked: str | None, error: UnicodeDecodeError, line: int) -> InputError:
    before, rest = error.object[: error.start], error.object[error.start :]
    lines = before.count(b"\n")
    seen = f"byte 0x{rest[0]:02x} in line {line + lines}"
    if asked is not None:
        return InputError(f"{path} is not {asked}: {seen}.", "Try another --encoding, or none.")
    if b"\0" in error.object:
        nul = error.object.index(b"\0")
        return _nul(path, asked, error.object, line + error.object[:nul].count(b"\n"))
    return _not_utf8(path, probable_encoding(before[before.rfind(b"\n") + 1 :] + rest), seen)


def _nul(path: Path, asked: str | None, data: bytes, line: int) -> InputError:
    probable = probable_encoding(data)
    if asked is None and probable.startswith("utf-16"):
        return _not_utf8(path, probable, f"there are NUL bytes from line {line} on")
    return InputError(
        f"{path} is not a text file: there is a NUL byte in line {line}.",
        "Give JSON, JSONL, CSV, TSV or Parquet; or remove the NUL bytes.",
    )


def _not_utf8(path: Path, probable: str, seen: str) -> InputError:
    return InputError(
        f"{path} is not UTF-8: {seen}; it looks like {probable}.",
        f"Read it with --encoding {probable}.",
    )
