"""A model's own chat template → what stands before and after the user's words.

Templates are other people's programs: they run in Jinja's immutable sandbox, in a child process
with limits on time and memory, and write no more than a prompt could hold.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from localsel.backends.sandbox import ask
from localsel.errors import BackendError

# Templates that print the day would otherwise make today's selection differ from tomorrow's.
FIXED_DAY = date(2024, 7, 26)
MARK = "LOCALSELxCONTENTxHERE"
SECONDS = 5.0
LONGEST = 100_000
"""Characters that a template may write."""


def wrap(template: str, bos: str = "", eos: str = "") -> tuple[str, str]:
    """The text before and after one user message, the assistant's header included.

    No system message is sent: Gemma-2's template refuses one.

    Raises:
        BackendError: the template cannot be rendered, does not show the message, or has no end.
    """
    subject = "The model's chat template"
    around = ask("template", subject, SECONDS, template=template, bos=bos, eos=eos)
    return around["before"], around["after"]


def wrap_here(template: str, bos: str, eos: str) -> dict[str, str]:
    """What `wrap` asks the child."""
    text = _render(template, [{"role": "user", "content": MARK}], bos, eos)
    before, found, after = text.partition(MARK)
    if not found:
        raise BackendError("The model's chat template does not show the user's message.")
    return {"before": before, "after": after}


def facts_of(template: str | None, bos: str, eos: str, adds: bool) -> dict[str, bool | str | None]:
    """For the card of a model, in the child: whether it has a template, and what that does.

    A system message may be refused: Gemma-2's template does. The start token comes from the
    template, or from the tokenizer where that `adds` one, and never from both.
    """
    before = wrap_here(template, bos, eos)["before"] if template else ""
    written = bool(bos) and before.startswith(bos)
    return {
        "chat_template": bool(template),
        "takes_a_system_message": _takes_system(template, bos, eos) if template else None,
        "bos_from": "template" if written else "tokenizer" if bos and adds else None,
    }


def _takes_system(template: str, bos: str, eos: str) -> bool:
    message = {"role": "system", "content": MARK}
    try:
        return MARK in _render(template, [message, {"role": "user", "content": "x"}], bos, eos)
    except BackendError:
        return False


def _render(template: str, messages: list[dict[str, str]], bos: str, eos: str) -> str:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals.update(
        raise_exception=refuse, strftime_now=lambda form: FIXED_DAY.strftime(form)
    )
    said: dict[str, Any] = {"messages": messages, "bos_token": bos, "eos_token": eos}
    try:
        text = ""
        for piece in environment.from_string(template).generate(said, add_generation_prompt=True):
            text += piece
            if len(text) > LONGEST:
                raise BackendError(
                    f"The model's chat template writes more than {LONGEST:,} characters."
                )
        return text
    except BackendError:
        raise
    except Exception as error:
        what = str(error).rstrip(".") or type(error).__name__
        raise BackendError(f"The model's chat template cannot be rendered: {what}.") from error
