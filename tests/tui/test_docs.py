"""docs/tui.md names the keys that there are; `docs/make_tui.py --keys` brings it up to date."""

from __future__ import annotations

import importlib.util

from tests.conftest import CHECKOUT


def test_the_table_of_keys_is_that_of_the_bindings() -> None:
    path = CHECKOUT / "docs" / "make_tui.py"
    spec = importlib.util.spec_from_file_location("make_tui", path)
    assert spec and spec.loader
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    page = (CHECKOUT / "docs" / "tui.md").read_text(encoding="utf-8")
    assert page.partition(maker.START)[2].partition(maker.END)[0].strip() == maker.keys()
