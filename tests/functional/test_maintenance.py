"""The maintenance command line on Azurite: exit codes, what it prints, what it does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.search import search_documents
from scim.adapters.tables.table import Write, delete, insert, merge, replace
from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from scim.directories.staleness import MARGIN
from scim.local_host.azurite import Azurite
from scim.maintenance.command_line import main
from scim.maintenance.progress import Progress
from scim.maintenance.results import UpgradeResult
from scim.maintenance.sample_documents import sample_user
from scim.maintenance.upgrades import upgrade
from scim.resources.directory_schemas import directory_schemas
from scim.resources.search import Search
from scim.settings import Settings

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def environment(azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings under which the commands run, set in this process."""
    settings = {"DataStorage": azurite.connection_string, "SCIM_SECRET_STORE": f"file:{tmp_path}/secrets.json"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def run(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json and returns its exit code and its document."""

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def seeded(run: Run) -> dict[str, Any]:
    """A directory with 45 users, and groups of 3 and of 40 of them."""
    code, result = run("seed", "--new", "--users", "45", "--groups", "3,40")
    assert code == 0
    return result


def in_partition(environment: dict[str, str], directory_id: str, action: Callable[[Partition], Any]) -> Any:
    """Return what an action does with a directory's partition."""

    async def act() -> Any:
        application = Application(Settings.from_environment(environment))
        try:
            return await action(application.partition_of(await application.directories.get_directory(directory_id)))
        finally:
            await application.close()

    return asyncio.run(act())


def damage(environment: dict[str, str], directory_id: str, *writes: Write) -> None:
    in_partition(environment, directory_id, lambda partition: partition.commit(writes))


def test_a_seeded_directory_is_clean_and_counted(run: Run, seeded: dict[str, Any]) -> None:
    code, result = run("check", seeded["directory_id"])

    assert (code, result["violations"], result["warnings"]) == (0, [], [])
    assert result["counts"] == {"users": 45, "active": 42, "groups": 2}
    assert sorted(seeded["groups"].values()) == [3, 40]
    # A user has 6 rows, a group 5, a member 2; head and page map are 3; mark, coverage and member counts are 5.
    assert result["rows"] == 45 * 6 + 2 * 5 + 43 * 2 + 3 + 5 == seeded["rows"] + 3 + 5
    assert seeded["token"].startswith("scimdt_")


def test_seeding_again_adds_to_what_is_there(run: Run, seeded: dict[str, Any]) -> None:
    code, result = run("seed", seeded["directory_id"], "--users", "5")
    assert (code, "token" in result) == (0, False)
    assert run("check", seeded["directory_id"])[1]["counts"] == {"users": 50, "active": 46, "groups": 2}


def test_seeded_users_are_found_by_page_and_look_as_entra_sends_them(
    environment: dict[str, str], seeded: dict[str, Any]
) -> None:
    search = Search([directory_schemas(()).user], count=10, start_index=41)
    result = in_partition(environment, seeded["directory_id"], lambda partition: search_documents(partition, search))
    assert (result.total, len(result.documents)) == (45, 5)


def test_a_sample_user_has_the_size_of_a_real_one() -> None:
    document = sample_user(directory_schemas(()), "1f", 7, f"usr_{'0' * 32}")
    assert 600 < len(json.dumps(document).encode()) < 1100


def test_damage_is_reported_by_exit_code_1_then_repaired(
    run: Run, environment: dict[str, str], seeded: dict[str, Any]
) -> None:
    directory_id = seeded["directory_id"]
    small = min(seeded["groups"], key=seeded["groups"].__getitem__)
    damage(
        environment,
        directory_id,
        delete(keys.group_version(small)),
        delete(keys.page_map("User", "")),
        insert(keys.user_name("nobody"), {"id": f"usr_{'0' * 32}"}),
    )

    code, result = run("check", directory_id)
    kinds = [violation["kind"] for violation in result["violations"]]
    assert (code, kinds) == (1, ["foreign_lookup", "missing_version", "wrong_page_map"])

    code, result = run("check", directory_id, "--repair")
    assert (code, result["violations"]) == (0, [])
    assert [violation["kind"] for violation in result["mended"]] == kinds
    assert run("check", directory_id)[0] == 0


def test_what_cannot_be_repaired_stays_reported(run: Run, environment: dict[str, str], seeded: dict[str, Any]) -> None:
    damage(environment, seeded["directory_id"], insert("unknown", {}))
    code, result = run("check", seeded["directory_id"], "--repair")
    assert (code, [violation["key"] for violation in result["violations"]]) == (1, ["unknown"])


def test_relay_moves_the_outbox(run: Run, seeded: dict[str, Any]) -> None:
    assert run("relay", seeded["directory_id"]) == (0, {"directory_id": seeded["directory_id"], "relayed": 0})


def test_an_upgrade_of_rows_that_are_todays_changes_nothing(run: Run, seeded: dict[str, Any]) -> None:
    code, result = run("upgrade", seeded["directory_id"])

    assert (code, result["upgraded"], result["unchanged"], result["rewritten"]) == (0, [], 1, 0)


def test_rows_without_a_format_are_upgraded_when_no_process_knows_them_any_more(
    environment: dict[str, str], seeded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory_id = seeded["directory_id"]
    moved = [timedelta()]
    waits = list[float]()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        moved[0] += timedelta(seconds=seconds)

    async def service_clock() -> datetime:
        return datetime.now(UTC) + moved[0]

    async def act() -> UpgradeResult:
        application = Application(Settings.from_environment(environment), service_clock=service_clock)
        try:
            await application.account.table(DIRECTORIES_TABLE).commit(directory_id, [merge("directory", {"format": 0})])
            partition = application.partition_of(await application.directories.get_directory(directory_id))
            (user,) = (await partition.first_rows(keys.document_range("User"), 1)).rows
            old = {name: value for name, value in user.values.items() if name not in ("name", "user_name", "email")}
            await partition.commit([replace(user.key, old, user.etag)])
            return await upgrade(application, [directory_id], Progress(StringIO()), pause)
        finally:
            await application.close()

    result = asyncio.run(act())

    assert (result.upgraded, result.rewritten, result.exit_code) == ([directory_id], 1, 0)
    assert MARGIN - timedelta(seconds=10) < timedelta(seconds=sum(waits)) < MARGIN + timedelta(seconds=10)
    assert main(["check", directory_id]) == 0


def test_the_result_for_people_is_short(seeded: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", seeded["directory_id"]]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{seeded['directory_id']}: 374 rows, 45 users, 42 active, 2 groups",
        "violations: none",
        "warnings: none",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "dir_unknown"], "there is no directory 'dir_unknown'"),
        (["relay", "dir_unknown"], "there is no directory 'dir_unknown'"),
        (["seed", "dir_unknown", "--users", "1"], "there is no directory 'dir_unknown'"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_an_unknown_directory_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"python -m scim.maintenance: {said}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["seed"],
        ["seed", "dir_1", "--new"],
        ["seed", "--new", "--users", "many"],
        ["seed", "--new", "--users", "10", "--groups", "20"],
        ["seed", "--new", "--users", "10", "--groups", "1,x"],
    ],
)
def test_a_senseless_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_setting_is_named_on_one_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert environment
    monkeypatch.delenv("DataStorage")
    assert main(["check", "dir_1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m scim.maintenance: DataStorage: is missing")


def test_storage_that_does_not_answer_is_one_line_and_exit_code_2(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = environment["DataStorage"]
    port = text.partition("TableEndpoint=http://127.0.0.1:")[2].partition("/")[0]
    monkeypatch.setenv("DataStorage", text.replace(f"127.0.0.1:{port}/", "127.0.0.1:9/"))
    assert main(["check", f"dir_{'0' * 32}"]) == 2
    assert capsys.readouterr().err.startswith("python -m scim.maintenance: storage does not answer: ")


def test_the_module_runs_as_a_program(environment: dict[str, str], seeded: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "scim.maintenance", "check", seeded["directory_id"], "--json"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["violations"] == []


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_says_nothing_of_what_is_done_within_a_second() -> None:
    stream, now = StringIO(), iter([0.0, 0.5, 0.9])
    progress = Progress(stream, lambda: next(now))
    progress("reading rows", 1000)
    progress("reading rows", 2000)
    progress.close()
    assert stream.getvalue() == ""


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    stream, now = StringIO(), iter([0.0, 1.5, 2.0, 7.0])
    progress = Progress(stream, lambda: next(now))
    for rows in (1000, 2000, 3000):
        progress("reading rows", rows)
    progress.close()
    assert stream.getvalue() == "reading rows: 1,000\nreading rows: 3,000\n"


def test_progress_on_a_terminal_is_one_line_that_goes_away() -> None:
    stream, now = Terminal(), iter([0.0, 1.5, 2.0])
    progress = Progress(stream, lambda: next(now))
    for rows in (1000, 2000):
        progress("reading rows", rows)
    progress.close()
    assert stream.getvalue() == "\r\x1b[Kreading rows: 1,000\r\x1b[Kreading rows: 2,000\r\x1b[K"
