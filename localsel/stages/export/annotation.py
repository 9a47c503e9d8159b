"""A record that came back, and an answer in it → an annotation: of which row, of which run."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from localsel.errors import InputError
from localsel.stages.export.chosen import PREFIX


@dataclass(frozen=True, slots=True)
class Annotation:
    """One answer as it came back; "" if nothing was written.

    Attributes:
        where: file, and line or record, for a person.
        row: of the pool; None where the file does not say, as Alpaca does not.
        run: the run that the file was exported from, where it says so.
        asked: instruction and input, where the file has them under these names.
    """

    where: str
    answer: str
    row: int | None
    run: str | None = None
    asked: tuple[str, str] | None = None


def annotation(where: str, answer: str, record: Mapping[str, object]) -> Annotation:
    inner = [record.get(name) for name in ("data", "meta")]
    places = [record, *(place for place in inner if isinstance(place, dict))]
    row, run = _reason(places, "row"), _reason(places, "run")
    asked = next((place for place in places if isinstance(place.get("instruction"), str)), None)
    if row is None and asked is None:
        raise InputError(
            f"{where}: neither _localsel, nor {PREFIX}row, nor an instruction to find its row by.",
            "Keep those columns, or export again and fill that file.",
        )
    known = None if asked is None else (str(asked["instruction"]), str(asked.get("input") or ""))
    return Annotation(where, answer, _number(row, where), None if run is None else str(run), known)


def _reason(places: Iterable[Mapping[str, object]], name: str) -> object:
    """A field of `_localsel`, which is an object or lies flat."""
    for place in places:
        inner = place.get("_localsel")
        value = inner.get(name) if isinstance(inner, dict) else place.get(f"{PREFIX}{name}")
        if is_filled(value):
            return value
    return None


def _number(value: object, where: str) -> int | None:
    """A row; what went through a table may be a text by now, or end in `.0`."""
    if value is None:
        return None
    found = re.fullmatch(r"\s*(\d+)(?:\.0+)?\s*", str(value))
    if found is None or isinstance(value, bool):
        shown = json.dumps(value, ensure_ascii=False)[:40]
        raise InputError(f"{where}: {shown} is not a row number.", "Put back what was exported.")
    return int(found[1])


def is_filled(value: object) -> bool:
    """Whether there is anything in a cell."""
    return value not in (None, "")


def same_run(seen: str, run: str) -> bool:
    """A spreadsheet takes an id like 00001234 or 12345e67 for a number and respells it."""
    try:
        return seen == run or float(seen) == float(run) < math.inf
    except ValueError:
        return False
