"""An annotated file, whatever tool it comes from → its annotations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from localsel.errors import InputError
from localsel.stages.export.annotation import Annotation
from localsel.stages.export.annotations import annotations_in_sheet, annotations_of
from localsel.stages.export.sheet import run_of
from localsel.stages.export.spreadsheet import restored
from localsel.stages.load import BadRow
from localsel.stages.load.formats import Format, recognise_format
from localsel.stages.load.sources import Source, open_source


def annotations_from(
    path: Path, column: str | None = None, encoding: str | None = None
) -> list[Annotation]:
    """Every annotation in a file. `column` is where the answers are, if not where they usually are.

    Raises:
        InputError: it cannot be read, or does not say of which rows its answers are.
    """
    source = open_source(path, encoding)
    if source.encoding and (text := _sheet(source)):
        return annotations_in_sheet(path, text)
    return annotations_of(path, _records(source, recognise_format(source)), column)


def _sheet(source: Source) -> str:
    """The text of a Markdown sheet; of another file nothing."""
    with source.text(newline="") as stream:
        start = stream.read(1000)
        if run_of(start) is not None:
            return start + stream.read()
    if source.path.suffix.lower() == ".md":
        raise InputError(
            f"{source.path} has lost its first line, `<!-- localsel sheet … -->`.",
            "Export the sheet again and copy that line.",
        )
    return ""


def _records(source: Source, form: Format) -> Iterator[tuple[str, object]]:
    """Each record with its place. A broken one is refused: an answer may be in it."""
    for record in form.read(source):
        place = f"line {record.line}" if record.line else f"record {record.row + 1}"
        if isinstance(record, BadRow):
            raise InputError(f"{source.path}, {place}: {record.reason}.", "Mend it there.")
        value = record.value
        if form.name in ("csv", "tsv") and isinstance(value, dict):
            value = restored(value)
        yield place, value
