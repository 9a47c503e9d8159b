"""Picks and a path → whole files there, or the old ones and a sentence why."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localsel.errors import UsageError
from localsel.records import Instruction
from localsel.stages.export import Chosen, check_writable, export
from localsel.stages.export.files import part_of


def row(**columns: object) -> Chosen:
    return Chosen(Instruction(0, "x"), columns, {"row": 0})


# --- replaced in one step ------------------------------------------------------------------------


def test_an_earlier_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "picks").write_text("something much longer than what comes after it" * 99)
    assert export([row(a="b")], "jsonl", tmp_path / "picks") == [tmp_path / "picks"]
    assert (tmp_path / "picks").read_text() == '{"a": "b", "_localsel": {"row": 0}}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["picks"]


@pytest.mark.parametrize("old", ["old", None])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, old: str | None
) -> None:
    path = tmp_path / "picks.jsonl"
    if old:
        path.write_text(old)

    class Full(Chosen):
        def as_json(self) -> dict[str, object]:
            raise OSError(28, "No space left on device")

    chosen = [row(a=1), Full(Instruction(0, "x"), {}, {})]
    with pytest.raises(
        UsageError, match=r"picks\.jsonl cannot be written: No space left"
    ) as caught:
        export(chosen, "jsonl", path)
    assert caught.value.exit_code == 2
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old else [])


def test_a_defect_while_writing_leaves_the_old_file_too(tmp_path: Path) -> None:
    path = tmp_path / "picks.jsonl"
    path.write_text("old")
    with pytest.raises(TypeError, match="not JSON serializable"):
        export([row(a=1), row(a=object())], "jsonl", path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone/picks\.csv cannot be written: No such file"):
        export([row(a=1)], "csv", tmp_path / "gone" / "picks.csv")


# --- several files -------------------------------------------------------------------------------


def many(count: int) -> list[Chosen]:
    return [Chosen(Instruction(row, "x"), {}, {"row": row}) for row in range(count)]


def tasks(path: Path) -> list[int]:
    return [task["data"]["localsel_row"] for task in json.loads(path.read_text())]


def test_ten_thousand_tasks_are_one_file_with_its_configuration(tmp_path: Path) -> None:
    written = export(many(10_000), "label-studio", tmp_path / "tasks.json")
    assert written == [tmp_path / "tasks.json", tmp_path / "tasks.xml"]
    assert sorted(tmp_path.iterdir()) == written
    assert tasks(written[0]) == list(range(10_000))


def test_one_more_makes_two_parts_that_hold_every_task_once(tmp_path: Path) -> None:
    written = export(many(10_001), "label-studio", tmp_path / "tasks.json")
    assert [path.name for path in written] == ["tasks-001.json", "tasks-002.json", "tasks.xml"]
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert tasks(written[0]) == list(range(10_000))
    assert tasks(written[1]) == [10_000]


@pytest.mark.parametrize(("before", "after"), [(20_001, 10_001), (10_001, 3), (3, 10_001)])
def test_parts_of_another_export_are_not_left_among_new_ones(
    tmp_path: Path, before: int, after: int
) -> None:
    path = tmp_path / "tasks.json"
    export(many(before), "label-studio", path)
    there = {each: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="would stay beside the new files"):
        export(many(after), "label-studio", path)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == there


def test_as_many_parts_replace_the_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "ta[s]ks.json"
    export(many(10_002), "label-studio", path)
    (tmp_path / "ta[s]ks-2024.json").write_text("somebody's own")
    export(many(10_001), "label-studio", path)
    assert tasks(part_of(path, 2)) == [10_000]


def test_a_part_that_fails_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    (tmp_path / "tasks-001.json").write_text("old")
    broken = [*many(10_000), Chosen(Instruction(0, "x"), {"a": object()}, {"row": 0})]
    with pytest.raises(TypeError, match="not JSON serializable"):
        export(broken, "label-studio", path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_in_the_place_of_a_second_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tasks.xml").mkdir()
    with pytest.raises(UsageError, match=r"tasks\.xml is a folder"):
        export(many(1), "label-studio", tmp_path / "tasks.json")
    assert [each.name for each in tmp_path.iterdir()] == ["tasks.xml"]


@pytest.mark.parametrize("name", ["tasks.xml", "tasks", "tasks.jsonl"])
def test_label_studio_reads_tasks_from_json_files_alone(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UsageError, match=r"takes files that end in \.json.* Give --out .*tasks\.json"
    ):
        export(many(1), "label-studio", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# --- refused early -------------------------------------------------------------------------------


@pytest.fixture
def anybody() -> Iterator[None]:
    """Root may write everywhere: be somebody else for a while."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(0, 0, 0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unlike `tmp_path`, a folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "closed").mkdir(mode=0o555)
        (path / "hidden").mkdir(mode=0o000)
        yield path
        (path / "hidden").chmod(0o700)


def test_a_place_that_can_be_written_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    check_writable(tmp_path / "new.csv")
    check_writable(tmp_path / "old.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_relative_name_is_looked_up_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable(Path("new.csv"))
    with pytest.raises(UsageError, match=f"There is no folder {tmp_path}/sub to write new.csv"):
        check_writable(Path("sub/new.csv"))


def test_a_folder_is_no_file_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, not a file to write to"):
        check_writable(tmp_path)


def test_a_file_is_no_folder_to_write_into(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match="There is no folder"):
        check_writable(tmp_path / "a" / "b.csv")


@pytest.mark.usefixtures("anybody")
def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"The folder {folder}/closed cannot be written"):
        check_writable(folder / "closed" / "picks.csv")
    with pytest.raises(UsageError, match=f"The folder {folder}/hidden cannot be written"):
        check_writable(folder / "hidden" / "picks.csv")
    with pytest.raises(UsageError, match="There is no folder"):
        check_writable(folder / "hidden" / "further" / "picks.csv")
