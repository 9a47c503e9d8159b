"""Several that want one folder → it is filled once, and nobody sees it half full."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.once import once


def test_whoever_comes_first_fills_it_and_all_get_it_full(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def fill(folder: Path) -> None:
        with log.open("a") as file:
            file.write("filled\n")
        (folder / "half").touch()
        time.sleep(0.05)
        (folder / "whole").touch()

    def seen(_: int) -> tuple[Path, bool]:
        folder = once(tmp_path_factory, f"seen-{tmp_path.name}", fill)
        return folder, (folder / "whole").exists()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(seen, range(8)))
    assert [whole for _, whole in found] == [True]
    assert log.read_text() == "filled\n"


def test_what_failed_half_way_is_filled_anew(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    name = f"failed-{tmp_path.name}"

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        once(tmp_path_factory, name, fail)
    folder = once(tmp_path_factory, name, lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
