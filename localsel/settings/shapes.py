"""The typed options → their JSON types, for a settings file's schema and for error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from localsel.settings.options import FILES, Files, describe, hints


def schema() -> dict[str, Any]:
    """The JSON schema of a settings file."""
    fields_of_schema = {}
    for name, hint in hints().items():
        allowed = [*shapes(hint), *ALSO.get(name, [])]
        shape = allowed[0] if len(allowed) == 1 else {"anyOf": allowed}
        fields_of_schema[name] = {"description": describe(name)} | shape
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "localsel.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": fields_of_schema,
    }


# What a settings file may say beside the value itself.
ALSO: dict[str, list[dict[str, object]]] = {
    "near_duplicates": [{"enum": ["off", False]}],
    "max_bad_rows": [{"type": "string", "pattern": "^[0-9.]+%$"}],
    "max_fallback": [{"type": "string", "pattern": "^[0-9.]+%$"}],
    **{name: [{"type": "string"}] for name in FILES},
    "trim": [{"type": "string", "pattern": "^[0-9.]+%$"}],
    "map": [{"type": "string", "pattern": "="}],
    "where": [{"type": "string", "pattern": "="}],
}


def shapes(hint: Any) -> list[dict[str, Any]]:
    """The JSON types of a setting, without null, which TOML does not have."""
    found = msgspec.json.schema(_plain(hint))
    found.pop("description", None)
    return [shape for shape in found.get("anyOf", [found]) if shape.get("type") != "null"]


def _plain(hint: Any) -> Any:
    """JSON has no paths: they are strings there."""
    bare, meta = hint.__origin__, hint.__metadata__
    if bare == Files:
        return Annotated[(tuple[str, ...], *meta)]
    if bare is Path:
        return Annotated[(str, *meta)]
    return Annotated[(str | None, *meta)] if bare == Path | None else hint
