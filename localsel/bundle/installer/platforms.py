"""This machine → what wheels depend on, and why those made for another do not work here."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What a compiler may make use of, among all that a processor says of itself.
FEATURES = re.compile(r"(amx|asimd|avx|bf16|bmi|f16c|fma$|i8mm|ssse3|sse4_|sve)")


def cpu_features() -> list[str]:
    """What a wheel built on this processor may use; empty where that is not known."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return sorted(name for name in set(found[1].split()) if FEATURES.match(name)) if found else []


def this_platform() -> dict[str, Any]:
    """What wheels depend on."""
    major, minor = sys.version_info[:2]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": f"{sys.implementation.name} {major}.{minor}{sys.abiflags}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "cpu": cpu_features(),
    }


def mismatches(wanted: dict[str, Any], here: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps wheels made for one platform from working on another, and why."""
    for key in ("system", "machine", "python"):
        if wanted[key] != here[key]:
            said = f"made for {wanted[key]}, and this is {here[key]}"
            yield key, said
    name, version = _libc(wanted["libc"])
    name_here, version_here = _libc(here["libc"])
    if name and (name != name_here or version > version_here):
        said = f"made for {wanted['libc']} or later, and this is {here['libc'] or 'another'}"
        yield "libc", said
    lacking = sorted(set(wanted["cpu"]) - set(here["cpu"]))
    if lacking:
        advice = "`bundle create --portable` builds for more processors"
        yield "cpu", f"this processor lacks {', '.join(lacking)}; {advice}"


def _libc(text: str) -> tuple[str, list[int]]:
    name, _, version = text.partition(" ")
    return name, [int(part) for part in re.findall(r"\d+", version)]
