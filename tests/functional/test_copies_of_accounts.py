"""Copies of several data accounts on Azurite: each row comes back into the account that its directory's row names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from scim.composed_stores import RESOURCES_TABLE
from scim.composition import Application
from scim.maintenance.command_line import main
from tests.azurite_accounts import azurite_accounts
from tests.environment import in_application

__all__ = ["azurite_accounts"]

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(azurite_accounts: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Run:
    """Runs a command with --json on the first two accounts and returns its exit code and its document."""
    monkeypatch.setenv("SCIM_SECRET_STORE", f"file:{tmp_path}/secrets.json")
    use(monkeypatch, *azurite_accounts[:2])

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def use(monkeypatch: pytest.MonkeyPatch, first: str, second: str) -> None:
    monkeypatch.setenv("DataStorage", first)
    monkeypatch.setenv("SCIM_FURTHER_DATA_ACCOUNTS", f"d2={second}")
    in_application(lambda application: application.prepare_storage())


async def directories_by_account(application: Application) -> dict[str, set[str]]:
    """Return in which data account which directories have rows."""
    return {
        name: {str(row["PartitionKey"]) async for row in account.all_rows(RESOURCES_TABLE)}
        for name, account in application.accounts.items()
    }


def test_the_commands_work_where_a_directory_is_and_a_copy_brings_each_back_to_its_account(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite_accounts: Sequence[str]
) -> None:
    seeded: dict[str, str] = {}
    for name in ("default", "d2"):
        monkeypatch.setenv("SCIM_NEW_DIRECTORIES_IN", name)
        seeded[name] = run("seed", "--new", "--users", "20", "--groups", "3")[1]["directory_id"]
        assert run("relay", seeded[name])[0] == 0
    placed = in_application(directories_by_account)
    copy = str(tmp_path / "rows.gz")
    _, saved = run("backup", copy)
    use(monkeypatch, *azurite_accounts[2:])

    code, restored = run("restore", copy)

    assert placed == {name: {directory} for name, directory in seeded.items()}
    assert (code, restored["restored"], restored["left_out"]) == (0, saved["rows"], 0)
    assert in_application(directories_by_account) == placed
    for directory in seeded.values():
        checked_code, checked = run("check", directory)
        assert (checked_code, checked["counts"]["users"], checked["counts"]["groups"]) == (0, 20, 1)


def test_a_copy_with_rows_of_an_account_that_is_not_named_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCIM_NEW_DIRECTORIES_IN", "d2")
    directory = run("seed", "--new", "--users", "2")[1]["directory_id"]
    run("backup", str(tmp_path / "rows.gz"))
    monkeypatch.delenv("SCIM_NEW_DIRECTORIES_IN")
    monkeypatch.delenv("SCIM_FURTHER_DATA_ACCOUNTS")

    assert main(["restore", str(tmp_path / "rows.gz")]) == 2
    said = capsys.readouterr().err.rstrip()
    assert said.endswith("name data account 'd2', which it has rows of, in SCIM_FURTHER_DATA_ACCOUNTS")
    assert main(["check", directory]) == 2
    assert f"{directory} lies in data account 'd2'" in capsys.readouterr().err
