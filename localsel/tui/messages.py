"""What screens and widgets tell the app, as Textual messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from localsel.tui.subject import Subject

if TYPE_CHECKING:
    from localsel.tui.following import Job


@dataclass
class Look(Message):
    """Somebody wants to look at this: all screens turn to it; `page` comes up, if one is named."""

    subject: Subject
    page: str = ""


@dataclass
class Start(Message):
    """A command line that is to run on its own, as `localsel` takes it, without `--workspace`."""

    line: tuple[str, ...]


@dataclass
class Stop(Message):
    """A run that is to be stopped, or the whole command of this log; what is done is kept."""

    run: str = ""
    log: Path | None = None


@dataclass
class Failure(Message):
    """Something that somebody asked for did not work: a dialog with the whole log."""

    text: str
    log: str = ""


@dataclass
class News(Message):
    """The workspace was written to, or a command told something: all that they have told so far."""

    jobs: Mapping[Path, Job]
