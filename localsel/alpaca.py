"""An instruction → the text before its answer, where a model is trained on it or scored by it.

Headers as Alpaca has them, without its sentence of introduction: instruction, input where there is
one, then the header that an answer follows.
"""

from __future__ import annotations

from localsel.records import Instruction

RESPONSE = "### Response:\n"
"""What stands before an answer whose instruction is withheld."""


def before(instruction: Instruction) -> str:
    """All that stands before the answer to an instruction."""
    asked = f"### Instruction:\n{instruction.instruction}\n\n"
    given = f"### Input:\n{instruction.input}\n\n" if instruction.input else ""
    return asked + given + RESPONSE
