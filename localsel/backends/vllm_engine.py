"""A folder and the limits of an opening → a vLLM engine in this process, or a refusal before it.

What can be known before the minutes that an engine takes to start is looked at before them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from localsel.backends.base import Opening
from localsel.backends.hf_tokens import first_line
from localsel.errors import BackendError
from localsel.wording import counted

LOGPROBS = 128
"""Tokens whose log-probabilities vLLM tells; those that labels can go on with are fewer."""

ON_CPU = 2**30
"""Bytes for what a CPU keeps of the tokens read, where nobody says --gpu-memory."""

ENVIRONMENT = {
    # In this process: one of vLLM's own would outlive a kill.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Where there are workers, one for each GPU, they meet on this machine alone.
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}


def arguments(context: int, opening: Opening, gpus_here: int) -> dict[str, object]:
    """What vLLM is told, on a machine with so many GPUs."""
    limits: dict[str, object] = {}
    if opening.gpu_memory is not None:
        limits["gpu_memory_utilization"] = opening.gpu_memory
    elif not gpus_here:
        limits["kv_cache_memory_bytes"] = ON_CPU
    return limits | {
        "max_model_len": context,
        "dtype": "auto" if gpus_here and not opening.exact else "float32",
        "enforce_eager": not gpus_here,
        "tensor_parallel_size": opening.gpus,
        "distributed_executor_backend": "mp" if opening.gpus > 1 else "uni",
        "structured_outputs_config": {"backend": opening.constraint},
        "logprobs_mode": "processed_logprobs",
        "max_logprobs": LOGPROBS,
        "enable_prefix_caching": True,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "disable_log_stats": True,
        "seed": 0,
    }


def gpus_here(opening: Opening) -> int:
    """How many GPUs there are for vLLM.

    Raises:
        BackendError: vLLM is not installed, or there are fewer GPUs than were asked for.
    """
    if not find_spec("vllm"):
        raise BackendError(
            "vLLM is not installed here.",
            "pip install 'localsel[vllm]', or give --backend transformers.",
        )
    import torch

    here = int(torch.cuda.device_count())
    if opening.gpus > max(here, 1):
        raise BackendError(
            f"--gpus {opening.gpus} is too many: {counted(here, 'GPU')} here.",
            "Give a smaller number, or leave it away.",
        )
    return here


def start(folder: Path, context: int, opening: Opening, here: int) -> Any:
    """Starts an engine in this process. No code of the folder is run.

    Raises:
        BackendError: vLLM cannot be imported, or cannot load the folder.
    """
    os.environ.update(ENVIRONMENT)
    if opening.threads:
        os.environ["OMP_NUM_THREADS"] = str(opening.threads)
    try:
        from vllm import LLM
    except ImportError as error:
        raise BackendError(
            f"vLLM cannot be imported: {first_line(error)}.",
            "Install it again, or give --backend transformers.",
        ) from error
    _let_vllm_look()
    try:
        return LLM(str(folder), **arguments(context, opening, here))
    except Exception as error:
        raise BackendError(
            f"vLLM cannot load {folder}: {first_line(error)}.",
            "Is the folder whole, and is there memory enough? A smaller --context takes less, a"
            " larger --gpu-memory gives more.",
        ) from error


def replies(engine: Any, prompts: Sequence[Sequence[int]], wanted: Sequence[Any]) -> list[Any]:
    """What the engine says after each of these, in their order.

    Raises:
        BackendError: it cannot answer; after that it answers nothing at all.
    """
    inputs = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
    try:
        return list(engine.generate(inputs, list(wanted), use_tqdm=False))
    except Exception as error:
        raise BackendError(
            f"vLLM cannot answer: {first_line(error)}.",
            "What was answered before is kept; the same command goes on.",
        ) from error


def end(engine: Any) -> None:
    """Ends an engine and its workers, and gives back what can be given back.

    What engines of one process share ends with the first of them.
    """
    with suppress(Exception):  # One that has failed cannot be ended in order.
        engine.llm_engine.engine_core.shutdown()
    del engine
    gc.collect()


def _let_vllm_look() -> None:
    """Lets vLLM's CPU build read `__dict__` of everything that any module holds, which it does.

    llvmlite's library, there wherever numba is, takes that for the name of a C function, and the
    engine would not start.
    """
    held = sys.modules.get("llvmlite.binding.ffi")
    with suppress(AttributeError):
        if held:
            held.lib._fntab["__dict__"] = {}
