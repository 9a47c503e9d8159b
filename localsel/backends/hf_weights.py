"""A Hugging Face folder → its weights in a network of transformers, every one of them found.

Nothing of the folder is run and nothing is fetched; what a file lacks is refused, since it would
be drawn at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localsel.backends.hf_folder import read_config
from localsel.backends.hf_tokens import first_line
from localsel.errors import BackendError

CAUSAL = "AutoModelForCausalLM"
RATING = "AutoModelForSequenceClassification"

ENDINGS = {
    CAUSAL: ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"),
    RATING: ("ForSequenceClassification",),
}
"""How the architectures are called that can be opened as one or the other."""
CALLED = {CAUSAL: "a model that writes texts", RATING: "a sequence-classification model"}


def load_weights(kind: str, folder: Path, dtype: Any) -> Any:
    """The network in main memory, ready to be asked.

    Args:
        kind: `CAUSAL` or `RATING`.
        dtype: torch's name of the numbers to compute with, or "auto" for those of the files.

    Raises:
        BackendError: it is a model of another kind, or not whole.
    """
    import transformers
    from transformers.utils import logging

    config = read_config(folder)
    _refuse_another_kind(kind, folder, config.get("architectures"))
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # Soft-capped scores, as Gemma-2 has them, are computed by the plain implementation alone.
    plain = {"attn_implementation": "eager"} if config.get("attn_logit_softcapping") else {}
    try:
        loaded: Any = getattr(transformers, kind).from_pretrained(
            str(folder),
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype,
            **plain,
        )
    except Exception as error:
        raise BackendError(
            f"transformers cannot load {folder}: {first_line(error)}.",
            "Is the folder whole, and is there memory enough?",
        ) from error
    ready, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise BackendError(
            f"{folder} lacks {len(missing):,} of the weights that its config.json asks for,"
            f" {missing[0][:80]} among them.",
            "Copy it again.",
        )
    return ready.eval()


def _refuse_another_kind(kind: str, folder: Path, said: Any) -> None:
    named = [str(each) for each in said] if isinstance(said, list) else []
    if named and not any(each.endswith(ENDINGS[kind]) for each in named):
        raise BackendError(
            f"{folder} is not {CALLED[kind]}: its config.json names {named[0][:80]}.",
            "Name a folder of the right kind.",
        )
