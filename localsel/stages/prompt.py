"""Candidates → the exact text of a query, and the way back from a label to a candidate."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localsel.errors import UsageError
from localsel.records import Prompt, after_pick
from localsel.settings import resource

__all__ = ["after_pick", "find_template", "load_template", "render", "template_names"]


PARTS = ("criteria", "head", "candidate", "tail", "answer")


@dataclass(frozen=True, slots=True)
class Template:
    """One file under `prompts/`: the parts of a question, in the order a model reads them.

    With an `answer` to complete it asks for a choice, without one for a sentence; with `options`
    for one of them, a rating say, and not for a label.
    """

    name: str
    about: str
    criteria: str
    head: str
    candidate: str
    tail: str
    answer: str
    options: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """What a model reads of it: neither its name nor what it says about itself."""
        return {name: getattr(self, name) for name in PARTS}


def template_names() -> list[str]:
    """The templates that come with localsel."""
    return sorted(path.stem for path in resource("prompts").glob("*.toml"))


def find_template(name: str) -> Template:
    """A template by name, or by the path of a file of one's own.

    Raises:
        UsageError: there is none.
    """
    path = (
        Path(name).expanduser() if name.endswith(".toml") else resource("prompts") / f"{name}.toml"
    )
    if not path.is_file():
        known = ", ".join(template_names())
        raise UsageError(f"There is no prompt {name!r}.", f"Known: {known}; or the path of a file.")
    return load_template(path)


def load_template(path: Path) -> Template:
    """Reads one template file.

    Raises:
        UsageError: the file is not TOML, or a part is missing, unknown or lacks its placeholder.
    """
    try:
        parts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The prompt {path} cannot be read: {error}.") from error
    options, wanted = _options(path, parts), {"about", *PARTS}
    if odd := wanted.symmetric_difference(parts):
        raise UsageError(
            f"The prompt {path} has to define {', '.join(sorted(wanted))};"
            f" missing or unknown: {', '.join(sorted(odd))}."
        )
    if unfit := [name for name in sorted(wanted) if not isinstance(parts[name], str)]:
        raise UsageError(f"The prompt {path} has to give text for {', '.join(unfit)}.")
    labelled = parts["answer"] and not options
    for placeholder in ("{label}", "{text}") if labelled else ("{text}",):
        if placeholder not in parts["candidate"]:
            raise UsageError(f"The prompt {path} lacks {placeholder} in its part 'candidate'.")
    return Template(name=path.stem, options=options, **parts)


def _options(path: Path, parts: dict[str, object]) -> tuple[str, ...]:
    """Takes the answers that a rating may have out of the parts."""
    found = parts.pop("options", [])
    if not isinstance(found, list) or not all(str(each).isdecimal() for each in found):
        raise UsageError(f"The prompt {path} has to give whole numbers as options.")
    return tuple(str(each) for each in found)


def render(
    template: Template, texts: Sequence[str], quota: int, criteria: str | None = None
) -> Prompt:
    """The query that shows `texts` in this order under the labels 1, 2, … and asks for `quota`."""
    head = template.head.replace("{criteria}", criteria or template.criteria)
    tail = template.tail.replace("{quota}", str(quota)).rstrip()
    candidates = tuple(show(template, label, text) for label, text in enumerate(texts, start=1))
    return Prompt(head, candidates, tail, template.answer, template.options)


def show(template: Template, label: int, text: str) -> str:
    """One candidate as the model reads it; placeholders inside `text` stay what they are."""
    before, after = template.candidate.split("{text}", 1)
    return before.replace("{label}", str(label)) + text + after.replace("{label}", str(label))


def room_per_candidate(lengths: Sequence[int], room: int) -> int:
    """The largest cap c with sum(min(length, c)) <= room: only the longest are shortened."""
    left, waiting = room, sorted(lengths)
    for index, length in enumerate(waiting):
        share = left // (len(waiting) - index)
        if length > share:
            return max(share, 0)
        left -= length
    return max(waiting, default=0)
