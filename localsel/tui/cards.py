"""What a check says of a selector, or of this machine → what the Models screen says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text

from localsel.errors import LocalselError
from localsel.printable import visible, visible_lines
from localsel.selectors import model_name
from localsel.tui.child import RefusedError

STATES = {"": "not yet", "checking": "… checking", "good": "✓ can be used", "bad": "× cannot"}
SIGNS = {"ok": "✓", "warning": "!", "failure": "×"}
WIDE, WIDER = 11, 14


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of one file: its state (of `STATES`), its card, or why it cannot be used."""

    state: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def failed(error: LocalselError) -> Checked:
    """A command that was killed says nothing of its own."""
    code = getattr(error, "exit_code", 0)
    if isinstance(error, RefusedError) and code < 0:
        return Checked("bad", problem=f"Checking it ended with signal {-code}: the file breaks it.")
    return Checked("bad", problem=str(error))


def card_text(path: Path, size: int, checked: Checked) -> Text:
    """Everything that is known of a selector."""
    text = Text.assemble((f"{visible(model_name(path))}\n", "bold"), visible(path), "\n")
    if checked.state == "bad":
        text.append("\n× It cannot be used.\n", style="bold").append(visible_lines(checked.problem))
    elif checked.state == "checking":
        text.append("\n… It is being checked: read, loaded, and asked for what is forbidden.")
    elif not checked.card:
        text.append(f"\n{mebibytes(size)} MiB. Press c to check it, n to start a run with it.")
    for name, value in facts(checked.card):
        text.append(f"\n{name:<{WIDE}} ", style="dim").append(visible(value))
    return text


def facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of a card; what the file does not say is left out."""
    if not card:
        return []
    starts = {"template": "the template writes it", "tokenizer": "the tokenizer adds it"}
    said = [
        ("model", named(card, "architecture", "{}, ", "parameters", "{:,} parameters")),
        ("layers", named(card, "layers", "{} of width ", "width", "{}")),
        ("weights", named(card, "quantisation", "{}, ", "mebibytes", "{} MiB")),
        ("context", named(card, "context", "{:,} tokens, ", "context_used", "{:,} used here")),
        ("tokens", named(card, "tokenizer", "{}, ", "vocabulary", "{:,} in all")),
        ("memory", memory(card.get("memory") or {})),
        ("template", "yes" if card.get("chat_template") else "none: asked as plain text"),
        ("system", takes_system(card.get("takes_a_system_message"))),
        ("start", starts.get(str(card.get("bos_from")), "")),
        ("canary", card.get("canary")),
        ("a question", sampled(card.get("sample") or {})),
        ("sha256", card.get("sha256")),
    ]
    return [(name, str(value)) for name, value in said if value]


def memory(needs: Mapping[str, Any]) -> str:
    """What weights and cache take at the context that is used."""
    if not needs:
        return ""
    parts = f"{mebibytes(needs['weights'])} weights, {mebibytes(needs['kv_cache'])} KV cache"
    return f"{mebibytes(needs['total'])} MiB: {parts}"


def sampled(sample: Mapping[str, Any]) -> str:
    """What it answered to the question that every check asks."""
    if not sample or "error" in sample:
        return str(sample.get("error", ""))
    chances = sample.get("probabilities") or {}
    told = ", ".join(f"[{label}] {chance:.0%}" for label, chance in chances.items())
    return (
        f"picked [{sample['picked']}] of {len(sample['candidates'])}{': ' + told if told else ''}"
    )


def named(card: Mapping[str, Any], *parts: str) -> str:
    """The fields of a card that are there, each in its words."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return "".join(words.format(card[name]) for name, words in pairs if card.get(name)).strip(", ")


def takes_system(value: bool | None) -> str:
    if value is None:
        return ""
    return "takes a system message" if value else "no system message: it goes before the question"


def mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f}"


def machine_text(findings: Sequence[Mapping[str, Any]]) -> Text:
    """What `localsel doctor` finds: what works here, what does not, what to do."""
    text = Text.assemble(("This machine\n", "bold"))
    for each in findings:
        text.append(f"\n{SIGNS.get(each['state'], '?')} {each['what']:<{WIDER - 2}} ", style="bold")
        text.append(visible(each["seen"]))
        if each["advice"]:
            text.append(f"\n{'':<{WIDER}} {visible(each['advice'])}")
    return text


def folders_text(folders: Sequence[Path]) -> Text:
    """Where models are looked for."""
    text = Text.assemble(("Looked for models in\n", "bold"))
    for folder in folders:
        there = "" if folder.is_dir() else "  (not there)"
        text.append(f"\n{visible(folder.absolute())}{there}")
    return text.append("\n\nLOCALSEL_MODELS names more folders. Press a to take up any model.")
