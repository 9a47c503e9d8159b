"""The command line of a bundle's own install.py → findings or an environment, and an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from .checking import Refused, verify
from .installing import install


def main(folder: Path) -> int:
    """`python install.py --target ENV`, or `--verify` alone."""
    parser = argparse.ArgumentParser(
        prog="install.py", description="Install localsel from this folder, without any network."
    )
    parser.add_argument("--target", type=Path, metavar="ENV", help="the environment to make")
    parser.add_argument("--verify", action="store_true", help="look for damage, install nothing")
    given = parser.parse_args()
    if not (given.target or given.verify):
        parser.error("give --target ENV, or --verify")
    try:
        if given.verify:
            lines = [f"{each.path}: {each.said}" for each in verify(folder, teller())]
            show(lines or ["The bundle is sound, and made for this machine."])
            return 3 if lines else 0
        show(install(folder, given.target, teller()))
    except Refused as error:
        show([f"install.py: {error}"], sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("install.py: stopped; nothing is left of it.", file=sys.stderr)
        return 130
    return 0


def show(lines: list[str], out: TextIO | None = None) -> None:
    """Names are others' words: what a terminal would obey, or cannot write, is a question mark."""
    for line in lines:
        print("".join(each if each.isprintable() else "?" for each in line), file=out)


def teller() -> Callable[[str, int, int], None]:
    """Says on stderr how far it is, at every tenth."""
    last = ("", 0)

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = (stage, 10 * done // max(total, 1))
        if now != last:
            print(f"{stage}: {10 * now[1]} %", file=sys.stderr)
        last = now

    return tell
