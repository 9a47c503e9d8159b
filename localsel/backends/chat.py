"""A model's own chat template → what stands before and after the user's words."""

from __future__ import annotations

from datetime import date

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsel.errors import BackendError

# Templates that print the day would otherwise make today's selection differ from tomorrow's.
FIXED_DAY = date(2024, 7, 26)
MARK = "LOCALSELxCONTENTxHERE"


def wrap(template: str, bos: str = "", eos: str = "") -> tuple[str, str]:
    """The text before and after one user message, the assistant's header included.

    No system message is sent: Gemma-2's template refuses one. Other people's templates run in
    Jinja's immutable sandbox.

    Raises:
        BackendError: the template cannot be rendered, or does not show the message.
    """

    text = _render(template, [{"role": "user", "content": MARK}], bos, eos)
    before, found, after = text.partition(MARK)
    if not found:
        raise BackendError("The model's chat template does not show the user's message.")
    return before, after


def takes_system(template: str) -> bool:
    """Whether a system message can be sent; Gemma-2's template, for one, refuses it."""
    message = {"role": "system", "content": MARK}
    try:
        return MARK in _render(template, [message, {"role": "user", "content": "x"}], "", "")
    except BackendError:
        return False


def _render(template: str, messages: list[dict[str, str]], bos: str, eos: str) -> str:
    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals.update(
        raise_exception=refuse, strftime_now=lambda form: FIXED_DAY.strftime(form)
    )
    try:
        return environment.from_string(template).render(
            messages=messages, bos_token=bos, eos_token=eos, add_generation_prompt=True
        )
    except Exception as error:
        what = str(error).rstrip(".") or type(error).__name__
        raise BackendError(f"The model's chat template cannot be rendered: {what}.") from error
