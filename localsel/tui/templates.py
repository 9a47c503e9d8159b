"""Parts of a prompt, as they are edited → a template file that says the same, and where it lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from localsel.errors import LocalselError, UsageError
from localsel.printable import visible

PARTS: Mapping[str, str] = {
    "about": "What it asks, in a line for lists. No model reads it.",
    "criteria": "What to prefer. It stands where head says {criteria}.",
    "head": "Read first, once for all queries. {criteria} stands for the criteria.",
    "candidate": "Read for every candidate. {label} is its number, {text} its text.",
    "tail": "Read last. {quota} is how many are to be chosen.",
    "answer": "How the answer begins; the model goes on with a number and ].",
}
"""Of every part what it is for, in the order in which they are shown."""
NAME = re.compile(r"[\w.-]+")
ESCAPES = {'"': '\\"', "\\": "\\\\", "\r": "\\r", "\x7f": "\\u007f"} | {
    chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in "\n\t\r"
}


def parts_of(reference: str) -> dict[str, str]:
    """The parts of a template, by its name or its file.

    Raises:
        UsageError: there is none, or it is not fit to be one.
    """
    from localsel.stages.prompt import find_template

    known = asdict(find_template(reference))
    return {part: known[part] for part in PARTS}


def to_toml(parts: Mapping[str, str]) -> str:
    """The file. What TOML cannot hold, half of a character, is a question mark in it."""
    return "\n".join(f"{part} = {_quoted(text)}\n" for part, text in parts.items())


def _quoted(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode()
    escaped = "".join(ESCAPES.get(letter, letter) for letter in whole)
    return f'"""\n{escaped}"""' if "\n" in whole else f'"{escaped}"'


def fault(parts: Mapping[str, str]) -> str:
    """Why no run could use it, in a sentence; nothing if one could."""
    from localsel.stages.prompt import load_template

    with TemporaryDirectory(prefix="localsel-") as folder:
        path = draft(parts, Path(folder))
        try:
            load_template(path)
        except LocalselError as error:
            return without(path, str(error))
    return ""


def draft(parts: Mapping[str, str], folder: Path) -> Path:
    """Writes it where nobody looks, for a command to read."""
    path = folder / "draft.toml"
    path.write_text(to_toml(parts), encoding="utf-8", newline="")
    return path


def without(path: Path, says: str) -> str:
    """A sentence about a draft, which has no place of its own."""
    return visible(says.replace(str(path), "as edited"))


def own_folder(home: Path) -> Path:
    """Where one's own templates lie."""
    return home / "prompts"


def references(home: Path) -> list[str]:
    """All templates: those that come with localsel by name, then one's own by path."""
    from localsel.stages.prompt import template_names

    own = sorted(own_folder(home).glob("*.toml"))
    return [*template_names(), *(str(path) for path in own)]


def place_of(typed: str, home: Path) -> Path:
    """Where a template of that name is kept; a path stays what it is.

    Raises:
        UsageError: it is neither, or one of localsel's own.
    """
    from localsel.settings import resource

    path = Path(typed).expanduser() if typed.endswith(".toml") else own_folder(home) / typed
    if not typed.endswith(".toml"):
        if not NAME.fullmatch(typed) or typed.strip(".") == "":
            raise UsageError(f"{typed!r} is no name: use letters, digits, - and _.")
        path = path.with_name(f"{typed}.toml")
    if path.resolve().parent == resource("prompts").resolve():
        raise UsageError(f"{path.name} is one of localsel's own.", "Choose another name.")
    return path


def keep(parts: Mapping[str, str], path: Path, home: Path) -> None:
    """Writes it, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    from localsel.stages.export.files import check_writable, replace_all

    if path.parent == own_folder(home):
        path.parent.mkdir(mode=0o700, exist_ok=True)
    check_writable(path)
    replace_all({path: lambda file: _write(file.write, parts)})


def _write(write: object, parts: Mapping[str, str]) -> None:
    assert callable(write)
    write(to_toml(parts))
