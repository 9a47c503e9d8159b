"""This machine → Python, processor, memory and graphics card, as far as localsel uses them."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from localsel.health.finding import Finding, attempt, installed

FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd")
LITTLE_MEMORY = 2 * 2**30


def python() -> Finding:
    where = f"{platform.system()} {platform.machine()}"
    seen = f"{platform.python_version()} on {where}, localsel {installed('localsel')}"
    return Finding("python", "ok", seen)


def cpu() -> Finding:
    """What it is, how much of it a model takes by default, and what makes it quick."""
    name, flags = processor()
    cores = len(os.sched_getaffinity(0))
    used = [feature.upper() for feature in FEATURES if feature in flags]
    seen = f"{name}, {cores} threads, {' '.join(used) or 'features unknown'}"
    if flags and not {"avx2", "asimd"} & flags:
        return Finding("cpu", "warning", seen, "Without AVX2 a model takes several times longer.")
    return Finding("cpu", "ok", seen)


def processor() -> tuple[str, set[str]]:
    """Its name, and what it can do."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    known: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        known.setdefault(name.strip(), value.strip())
    flags = known.get("flags") or known.get("Features") or ""
    return known.get("model name") or platform.machine(), set(flags.split())


def memory() -> Finding:
    import psutil

    found = psutil.virtual_memory()
    seen = f"{found.available / 2**30:.1f} of {found.total / 2**30:.1f} GiB free"
    if found.available < LITTLE_MEMORY:
        return Finding("memory", "warning", seen, "Close something, or take a smaller model.")
    return Finding("memory", "ok", seen)


def gpu() -> Finding:
    """A card that torch cannot use is named: it may be the build of torch."""

    def look() -> str:
        import torch

        cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GiB)" for card in cards)

    found = attempt("gpu", look, "Run `make install` again: torch has to be importable.")
    if found.state != "ok" or found.seen:
        return found
    if Path("/proc/driver/nvidia/gpus").is_dir() or shutil.which("nvidia-smi"):
        seen = f"there is one, but torch {installed('torch')} cannot use it"
        return Finding("gpu", "warning", seen, "Install a CUDA build of torch to use it.")
    return Finding("gpu", "ok", "none; models run on the CPU")
