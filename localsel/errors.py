"""What went wrong, in one sentence → the exit code a command ends with.

LocalselError (1)
├── UsageError (2)        options, settings, paths
│   └── InputError (2)    the data: file, line, row
├── BackendError (3)      a backend or a model cannot be used
├── AnswerError (1)       one query got no valid answer; retried, then marked as abstained
└── WorkspaceError (1)    the workspace cannot be read or written
"""

from __future__ import annotations


class LocalselError(Exception):
    """A sentence for a person: what was seen and where; `hint` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(LocalselError):
    """An option, a setting or a path that cannot be used as given."""

    exit_code = 2


class InputError(UsageError):
    """Data that cannot be read as instructions."""


class BackendError(LocalselError):
    """A backend that is missing, or a model that it cannot run."""

    exit_code = 3


class AnswerError(LocalselError):
    """One query that a selector did not answer validly. Never leaves a method."""


class WorkspaceError(LocalselError):
    """The workspace cannot be opened, read or written."""
