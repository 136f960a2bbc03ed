"""Copies of all rows on Azurite: what was lost comes back as it was, and what is there is left alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.tables.directory_removal import TableDirectoryRows
from scim.adapters.tables.table import Int64, Value, delete, insert, merge
from scim.composition import Application
from scim.local_host.azurite import Azurite, start_azurite
from scim.maintenance.command_line import main
from tests.environment import in_application

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def empty_azurite() -> Any:
    """An Azurite without any row."""
    started = start_azurite(location=None)
    yield started
    started.stop()


@pytest.fixture
def run(own_azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Run:
    """Runs a command with --json and returns its exit code and its document."""
    use(own_azurite, tmp_path, monkeypatch)

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def use(azurite: Azurite, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DataStorage", azurite.connection_string)
    monkeypatch.setenv("SCIM_SECRET_STORE", f"file:{folder}/secrets.json")
    in_application(lambda application: application.prepare_storage())


def copied(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().rstrip("\n").split("\n")


def test_a_lost_account_comes_back_as_it_was(
    run: Run, tmp_path: Path, empty_azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, seeded = run("seed", "--new", "--users", "130", "--groups", "3,120")
    code, saved = run("backup", str(tmp_path / "rows.gz"))
    use(empty_azurite, tmp_path, monkeypatch)

    restored_code, restored = run("restore", str(tmp_path / "rows.gz"))
    checked_code, checked = run("check", seeded["directory_id"])

    assert (code, restored_code, checked_code) == (0, 0, 0)
    assert restored["restored"] == saved["rows"]
    assert (restored["left_out"], restored["left_alone"]) == (0, [])
    assert checked["counts"] == {"users": 130, "active": checked["counts"]["active"], "groups": 2}


def test_a_copy_of_what_came_back_is_the_same_copy(run: Run, tmp_path: Path) -> None:
    run("seed", "--new", "--users", "5")
    run("backup", str(tmp_path / "first.gz"))

    _, restored = run("restore", str(tmp_path / "first.gz"))
    run("backup", str(tmp_path / "second.gz"))

    assert sum(restored["restored"].values()) == 0
    assert "organizations" in restored["left_alone"]
    assert copied(tmp_path / "second.gz") == copied(tmp_path / "first.gz")


def test_a_partition_that_has_gone_on_is_left_alone_unless_it_is_named(run: Run, tmp_path: Path) -> None:
    async def prepare(application: Application) -> None:
        rows = [insert(f"k{number:03}", {"text": "old \u2028 ä", "number": number}) for number in range(90)]
        await application.account.table("provisioninglog").commit("p", rows)

    async def go_on(application: Application) -> None:
        table = application.account.table("provisioninglog")
        await table.commit("p", [delete("k007"), delete("k070"), merge("k050", {"text": "new"})])

    in_application(prepare)
    run("backup", str(tmp_path / "rows.gz"))
    in_application(go_on)

    _, careful = run("restore", str(tmp_path / "rows.gz"))
    left = in_application(texts)
    _, filled = run("restore", str(tmp_path / "rows.gz"), "--only", "p")

    assert careful["restored"]["provisioninglog"] == 0
    assert "p" in careful["left_alone"]
    assert left == [None, ("new", 50), None]
    assert filled["restored"]["provisioninglog"] == 2
    assert filled["left_alone"] == []
    assert in_application(texts) == [("old \u2028 ä", 7), ("new", 50), ("old \u2028 ä", 70)]


def test_a_directory_that_was_deleted_since_comes_back_only_where_it_is_named_as_deleted(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, seeded = run("seed", "--new", "--users", "3")
    name = seeded["directory_id"]
    run("backup", str(tmp_path / "rows.gz"))

    async def delete_it(application: Application) -> None:
        directory = await application.directories.get_directory(name)
        await TableDirectoryRows(application.tables_of).remove(directory, _nothing)
        await application.directory_store.forget_directory(directory)

    async def status(application: Application) -> list[str]:
        row = await application.account.table("directories").read(name, "directory")
        return [] if row is None else [str(row.values["status"])]

    in_application(delete_it)
    _, careful = run("restore", str(tmp_path / "rows.gz"))
    after_careful = in_application(status)
    refused = main(["restore", str(tmp_path / "rows.gz"), "--only", name])
    told = capsys.readouterr().err
    after_refusal = in_application(status)
    _, named = run("restore", str(tmp_path / "rows.gz"), "--only", name, "--deleted")

    assert (refused, "say --deleted" in told, after_refusal) == (2, True, ["deleted"])
    assert careful["restored"]["resources"] == 0
    assert name in careful["left_alone"]
    assert after_careful == ["deleted"]
    assert named["restored"]["resources"] > 3
    assert in_application(status) == ["active"]
    assert run("check", name)[0] == 0


async def _nothing(_: int) -> None:
    return


async def texts(application: Application) -> list[Any]:
    """Return text and number of three rows."""
    table = application.account.table("provisioninglog")
    rows = [await table.read("p", key) for key in ("k007", "k050", "k070")]
    return [row and (row.values["text"], row.values["number"]) for row in rows]


def test_deleted_without_a_name_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("backup", str(tmp_path / "rows.gz"))

    with pytest.raises(SystemExit) as ended:
        main(["restore", str(tmp_path / "rows.gz"), "--deleted"])

    assert ended.value.code == 2
    assert "--deleted goes with --only" in capsys.readouterr().err


def test_a_copy_says_from_when_to_when_it_was_made(run: Run, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    _, saved = run("backup", str(tmp_path / "rows.gz"))
    after = datetime.now(UTC)
    _, restored = run("restore", str(tmp_path / "rows.gz"))

    assert before <= datetime.fromisoformat(saved["begun"]) <= datetime.fromisoformat(saved["ended"]) <= after
    assert (restored["copy_begun"], restored["copy_ended"]) == (saved["begun"], saved["ended"])


def test_every_type_of_a_value_comes_back_as_it_was(run: Run, tmp_path: Path) -> None:
    values: dict[str, Value] = {
        "text": "line\nend", "whole": 7, "large": Int64(2**40), "share": 0.5, "raw": b"\x00\xff", "is": True,
        "at": datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC),
    }  # fmt: skip

    async def write(application: Application) -> None:
        await application.account.table("provisioninglog").commit("types", [insert("k", values)])

    async def remove(application: Application) -> None:
        await application.account.table("provisioninglog").commit("types", [delete("k")])

    async def read(application: Application) -> Any:
        row = await application.account.table("provisioninglog").read("types", "k")
        return row and row.values

    in_application(write)
    run("backup", str(tmp_path / "rows.gz"))
    in_application(remove)
    run("restore", str(tmp_path / "rows.gz"))

    found = in_application(read)
    assert found == values
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in values.items()}


def test_a_copy_is_for_its_owner_alone_and_is_never_written_over(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.gz"
    run("backup", str(path))

    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["backup", str(path)]) == 2
    assert capsys.readouterr().err.rstrip().endswith("rows.gz: File exists")


@pytest.mark.parametrize("kept", [0.5, 0.0])
def test_half_a_copy_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, kept: float, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.gz"
    run("backup", str(path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])

    assert main(["restore", str(path)]) == 2
    assert "not whole" in capsys.readouterr().err


def test_a_copy_that_lacks_its_last_lines_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.gz"
    run("backup", str(path))
    lines = copied(path)
    path.write_bytes(gzip.compress("\n".join(lines[:-1]).encode()))

    assert main(["restore", str(path)]) == 2
    assert "its end is missing" in capsys.readouterr().err


def test_another_file_is_no_copy(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.txt").write_text("hello")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))

    assert main(["restore", str(tmp_path / "other.txt")]) == 2
    assert main(["restore", str(tmp_path / "other.gz")]) == 2
    assert main(["restore", str(tmp_path / "none.gz")]) == 2
    assert "no copy of rows" in capsys.readouterr().err
