"""Names → the classes they stand for, from the tables and from plug-ins that may be broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localsel.backends import BACKENDS
from localsel.backends.base import Backend
from localsel.errors import LocalselError, UsageError
from localsel.methods import METHODS
from localsel.methods.base import Method
from localsel.registry import Registry

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with one module and its entry points where Python finds it."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(module: str, source: str, **points: str) -> None:
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {place}\n" for name, place in points.items())
        (folder / "entry_points.txt").write_text(f"[localsel.things]\n{lines}")

    yield put
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def things(**places: str) -> Registry:
    return Registry("thing", places or {"path": "pathlib:Path", "counter": "collections:Counter"})


# --- the tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS.places)
def test_every_row_of_the_methods_loads(name: str) -> None:
    assert issubclass(METHODS.load(name), Method)
    assert METHODS.load(name).about


@pytest.mark.parametrize("name", BACKENDS.places)
def test_every_row_of_the_backends_loads(name: str) -> None:
    assert issubclass(BACKENDS.load(name), Backend)


def test_each_row_is_another_class() -> None:
    for table in (METHODS, BACKENDS):
        assert len(set(table.load_all().values())) == len(table.places)


def test_names_come_in_the_order_of_the_table() -> None:
    assert things().names == ["path", "counter"]
    assert things().load_all() == {"path": Path, "counter": things().load("counter")}


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        (METHODS, "selectlm", "There is no method 'selectlm'. Did you mean 'selectllm'?"),
        (BACKENDS, "lamacpp", "There is no backend 'lamacpp'. Did you mean 'llamacpp'?"),
        (things(), "xyz", "There is no thing 'xyz'. Known: path, counter."),
        (things(), "", "There is no thing ''. Known: path, counter."),
    ],
)
def test_an_unknown_name_suggests_the_nearest(table: Registry, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        table.load(name)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


# --- plug-ins ------------------------------------------------------------------------------------


def test_a_plug_in_adds_a_name_after_those_of_the_table(install: Install) -> None:
    install("plugged", "class Thing: pass\n", zebra="plugged:Thing", ant="plugged:Thing")
    table = things()
    assert table.names == ["path", "counter", "ant", "zebra"]
    assert table.load("ant").__name__ == "Thing"
    assert list(table.load_all()) == table.names


def test_a_plug_in_is_not_imported_before_it_is_asked_for(install: Install) -> None:
    install("lazy", "raise SystemError('imported')\n", lazy="lazy:Thing")
    table = things()
    assert "lazy" in table.names
    assert table.load("path") is Path
    assert "lazy" not in sys.modules


def test_a_plug_in_cannot_replace_a_row_of_the_table(install: Install) -> None:
    install("usurper", "class Thing: pass\n", path="usurper:Thing")
    assert things().names == ["path", "counter"]
    assert things().load("path") is Path


@pytest.mark.parametrize(
    ("source", "place", "reason"),
    [
        ("import nothing_of_that_name\n", "broken:Thing", "No module named 'nothing_of_that_name'"),
        ("", "broken:Thing", "module 'broken' has no attribute 'Thing'"),
        ("", "nowhere_at_all:Thing", "No module named 'nowhere_at_all'"),
        ("def thing(:\n", "broken:Thing", "invalid syntax"),
        ("1 / 0\n", "broken:Thing", "division by zero"),
    ],
)
def test_a_broken_plug_in_is_named_on_stderr_and_left_out(
    install: Install, capsys: pytest.CaptureFixture[str], source: str, place: str, reason: str
) -> None:
    install("broken", source, bad=place)
    table = things()
    assert list(table.load_all()) == ["path", "counter"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("localsel: The thing 'bad' cannot be loaded: ")
    assert reason in err
    assert err.count("\n") == 1
    with pytest.raises(LocalselError, match="The thing 'bad' cannot be loaded") as caught:
        table.load("bad")
    assert caught.value.exit_code == 1
    assert caught.value.__cause__ is not None
