"""The command line of a bundle's own install.py → findings or an environment, and an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

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
            print(*lines or ["The bundle is sound, and made for this machine."], sep="\n")
            return 3 if lines else 0
        print(*install(folder, given.target, teller()), sep="\n")
    except Refused as error:
        print(f"install.py: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("install.py: stopped; nothing is left of it.", file=sys.stderr)
        return 130
    return 0


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
