"""The answers that are legal → the fields of a question that hold a server to them.

Servers ignore what they do not know, so which of these works is found by trying.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localsel.backends.openai_replies import Said
from localsel.errors import AnswerError

FIELD = "answer"
WRAPPING = 24
"""Tokens that JSON may take around an answer."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One way to hold a server to some answers.

    Attributes:
        fields: what the question says besides, for these answers.
        is_json: the answer comes inside a JSON object.
    """

    name: str
    fields: Callable[[Sequence[str]], dict[str, object]]
    is_json: bool = False

    def read(self, said: Said, answers: Sequence[str]) -> str:
        """The answer that came.

        Raises:
            AnswerError: it did not come to its end, or is not one of the legal ones.
        """
        if not said.ended:
            raise AnswerError("the server did not end its answer")
        text = _inside(said.text) if self.is_json else said.text
        if text is None or text not in answers:
            raise AnswerError("the constraint was lost: another answer came through")
        return text

    def start(self, said: Said, written: str) -> int:
        """Where in its text an answer goes on that begins with what is `written`."""
        begun = _quoted(written)[:-1] if self.is_json else written
        return said.text.find(begun) + len(begun)


def _inside(text: str) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = value.get(FIELD) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _choice(answers: Sequence[str]) -> dict[str, object]:
    return {"structured_outputs": {"choice": list(answers)}}


def _grammar(answers: Sequence[str]) -> dict[str, object]:
    # What llama.cpp would otherwise multiply the probability of repeated tokens by.
    same = {"repeat_penalty": 1.0}
    return {"grammar": f"root ::= {' | '.join(map(_literal, answers))}", **same}


def _literal(text: str) -> str:
    """A string of GBNF."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def _schema(answers: Sequence[str]) -> dict[str, object]:
    schema = {
        "type": "object",
        "properties": {FIELD: {"type": "string", "enum": list(answers)}},
        "required": [FIELD],
        "additionalProperties": False,
    }
    wanted = {"name": "choice", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


STRUCTURED = Constraint("structured_outputs", _choice)
CONSTRAINTS = (
    STRUCTURED,
    Constraint("grammar", _grammar),
    Constraint("response_format", _schema, is_json=True),
)
