"""Fresh processes, tables and source files → nothing heavy comes early, nothing unsafe at all."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import localsel
from localsel.backends import BACKENDS
from localsel.backends.base import Backend
from localsel.cli import COMMANDS, LazyGroup
from localsel.methods import METHODS
from localsel.methods.base import Method
from localsel.stages.export import BY_SUFFIX, EXPORTERS

HEAVY = {
    "torch",
    "llama_cpp",
    "textual",
    "vllm",
    "sentence_transformers",
    "transformers",
    "hnswlib",
    "outlines",
    "outlines_core",
    "numba",
    "sklearn",
    "pyarrow",
}
PICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE = {"torch.load", "pd.read_pickle", "pandas.read_pickle", "yaml.load", "eval", "exec"}
PACKAGE = Path(localsel.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

COMMAND_LINE = """
import sys
from localsel.__main__ import main
sys.argv = ["localsel", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
"""


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh process has loaded after running `code`."""
    code += (
        "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_importing_localsel_loads_nothing_heavy() -> None:
    assert loaded_by("import localsel").isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["methods"]])
def test_looking_around_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(COMMAND_LINE.format(arguments=arguments)).isdisjoint(HEAVY)


def test_every_exported_name_is_there() -> None:
    assert localsel.__all__ == sorted(localsel.__all__)
    assert dir(localsel) == localsel.__all__
    assert all(getattr(localsel, name) is not None for name in localsel.__all__)


def test_the_public_face_is_what_the_manual_says() -> None:
    assert {"KCenter", "LocalselError", "Selection", "Settings", "kcenter", "run"} <= set(
        localsel.__all__
    )


def test_a_name_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="selct"):
        localsel.selct  # noqa: B018


def test_the_import_contracts_hold() -> None:
    contracts = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([contracts], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", METHODS.places)
def test_every_method_opens(name: str) -> None:
    assert issubclass(METHODS.load(name), Method)


@pytest.mark.parametrize("name", BACKENDS.places)
def test_every_backend_opens(name: str) -> None:
    assert issubclass(BACKENDS.load(name), Backend)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_opens_and_explains_itself(name: str) -> None:
    context = click.Context(LazyGroup())
    command = LazyGroup().get_command(context, name)
    assert command is not None
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_exporter_writes_nothing_from_nothing(name: str) -> None:
    file = io.StringIO()
    EXPORTERS[name]([], file)
    assert file.getvalue().strip() in ("", "[]")


def test_every_ending_has_an_exporter() -> None:
    assert set(BY_SUFFIX.values()) <= set(EXPORTERS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_source_file_reads_a_pickle_or_trusts_remote_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert set(imported(tree)).isdisjoint(PICKLERS)
    allowed = {"trust_remote_code": False, "allow_pickle": False, "weights_only": True}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in allowed:
            assert ast.literal_eval(node.value) is allowed[node.arg]
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in UNSAFE, ast.unparse(node)


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_method_is_one_that_knows_no_other() -> None:
    said = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {each["name"]: each for each in said["tool"]["importlinter"]["contracts"]}
    listed = contracts["methods do not know each other"]["modules"]
    assert listed == sorted({place.partition(":")[0] for place in METHODS.places.values()})
