"""A sentence → a toast, alone: toasts that pile up hide what lies below."""

from __future__ import annotations

from textual.notifications import SeverityLevel
from textual.widget import Widget

from localsel.printable import visible

SECONDS = 4.0


def say_alone(widget: Widget, text: str, severity: SeverityLevel = "information") -> None:
    """Shows the sentence instead of whatever was said before."""
    widget.app.clear_notifications()
    widget.notify(visible(text), severity=severity, markup=False, timeout=SECONDS)
