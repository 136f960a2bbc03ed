"""The operators' command line on Azurite: what it does, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scim.admin.command_line import COMMANDS, main
from scim.admin.deployment import deployment_settings
from scim.admin.values import moment, span
from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES, ApiKey
from scim.directories.directory import secret_name_of
from scim.local_host.azurite import Azurite
from scim.settings import SettingsError
from tests.documents import document
from tests.environment import in_application

Run = Callable[..., Any]
URN = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"
TEAM_CODE = {"name": "team_code", "path": f"{URN}:teamCode"}
BASE_URL = "https://scim.example.com"


@pytest.fixture
def environment(own_azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings under which the commands run, set in this process; the tables are there."""
    settings = {
        "DataStorage": own_azurite.connection_string,
        "SCIM_SECRET_STORE": f"file:{tmp_path}/secrets.json",
        "SCIM_PUBLIC_BASE_URL": BASE_URL,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    in_application(lambda application: application.prepare_storage())
    return settings


@pytest.fixture
def run(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds, with --json, and returns its document."""

    def run(*arguments: str) -> Any:
        code = main([*arguments, "--json"])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return json.loads(printed.out)

    return run


@pytest.fixture
def refused(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that is refused, and returns the one line that says why."""

    def refused(*arguments: str, code: int = 1) -> str:
        assert main(arguments) == code
        printed = capsys.readouterr()
        (line,) = printed.err.splitlines()
        assert printed.out == ""
        return str(line.removeprefix("python -m scim.admin: "))

    return refused


@pytest.fixture
def organization(run: Run) -> str:
    return str(run("organizations", "create", "Contoso")["id"])


@pytest.fixture
def directory(run: Run, organization: str) -> dict[str, Any]:
    made: dict[str, Any] = run("directories", "create", organization, "Entra")
    return made


def test_an_organization_is_created_found_renamed_and_deleted(run: Run, refused: Callable[..., str]) -> None:
    made = run("organizations", "create", "Contoso", "--external-id", "admin-1")

    assert run("organizations", "list", "--external-id", "admin-1")["data"] == [made]
    assert made["id"] in [each["id"] for each in run("organizations", "list")["data"]]
    assert run("organizations", "rename", made["id"], "Contoso Ltd")["name"] == "Contoso Ltd"
    assert run("organizations", "show", made["id"])["name"] == "Contoso Ltd"
    assert refused("organizations", "create", "Other", "--external-id", "admin-1").startswith(
        "the external id belongs to"
    )

    assert run("organizations", "delete", made["id"]) == {"id": made["id"], "status": "deleted"}

    assert refused("organizations", "show", made["id"]) == f"there is no organization {made['id']!r}"
    assert run("organizations", "list", "--external-id", "admin-1")["data"] == []


def test_a_directory_is_shown_with_the_data_account_that_it_lies_in(
    run: Run, organization: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("directories", "create", organization, "first")
    monkeypatch.setenv("SCIM_FURTHER_DATA_ACCOUNTS", "d2=UseDevelopmentStorage=true")
    monkeypatch.setenv("SCIM_NEW_DIRECTORIES_IN", "d2")
    second = run("directories", "create", organization, "second")
    monkeypatch.delenv("SCIM_FURTHER_DATA_ACCOUNTS")
    monkeypatch.delenv("SCIM_NEW_DIRECTORIES_IN")

    listed = run("directories", "list", organization)["data"]

    assert [(each["id"], each["data_account"]) for each in listed] == [(first["id"], "default"), (second["id"], "d2")]
    assert run("directories", "show", first["id"])["data_account"] == "default"
    expected = f"storage does not answer: {second['id']} lies in data account 'd2', not named in SCIM_FURTHER"
    assert refused("directories", "show", second["id"], code=2).startswith(expected)


def test_an_organization_with_directories_is_not_deleted(
    directory: dict[str, Any], refused: Callable[..., str]
) -> None:
    assert "delete them first" in refused("organizations", "delete", directory["organization_id"])


def test_a_directory_is_created_listed_updated_disabled_and_enabled(
    run: Run, organization: str, tmp_path: Path
) -> None:
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps([TEAM_CODE]), encoding="utf-8")
    made = run("directories", "create", organization, "Okta", "--provider", "okta", "--mappings", str(file))
    one = made["id"]

    assert made["token"].startswith("scimdt_")
    assert made["tenant_url"] == f"{BASE_URL}/scim/v2/{one}"
    assert made["attribute_mappings"][0]["name"] == "team_code"
    assert [each["id"] for each in run("directories", "list", organization)["data"]] == [one]
    assert one in [each["id"] for each in run("directories", "list")["data"]]
    assert run("directories", "update", one, "--name", "Entra")["name"] == "Entra"
    assert run("directories", "disable", one)["status"] == "disabled"
    assert run("directories", "enable", one)["status"] == "active"
    shown = run("directories", "show", one)
    assert shown["counts"] == {"users": 0, "active_users": 0, "groups": 0}
    assert [token["state"] for token in shown["tokens"]] == ["current"]
    assert made["token"] not in json.dumps(shown)


def test_a_directory_is_deleted(run: Run, directory: dict[str, Any], refused: Callable[..., str]) -> None:
    deleted = run("directories", "delete", directory["id"])

    assert deleted["status"] == "deleting"
    shown = run("directories", "show", directory["id"])
    assert (shown["deletion"]["removed_rows"], shown["counts"]) == (0, None)
    assert "being deleted" in refused("directories", "enable", directory["id"])


def test_a_token_is_rotated_and_revoked(run: Run, directory: dict[str, Any], refused: Callable[..., str]) -> None:
    one = directory["id"]

    rotated = run("tokens", "rotate", one, "--overlap", "1h", "--expires-at", "2099-01-31")

    assert rotated["token"].startswith("scimdt_")
    assert rotated["expires_at"] == "2099-01-31T00:00:00Z"
    listed = run("tokens", "list", one)["data"]
    assert [token["state"] for token in listed] == ["current", "previous"]
    assert "2 valid tokens" in refused("tokens", "rotate", one)
    assert run("tokens", "rotate", one, "--force")["version"] != rotated["version"]
    after = run("tokens", "revoke", one, listed[1]["version"])["data"]
    assert [token["state"] for token in after] == ["current", "previous", "ended"]
    assert {token["state"] for token in run("tokens", "revoke", one, "--all")["data"]} == {"ended"}
    assert "no valid token" in refused("tokens", "revoke", one, "unknown")
    assert "--all" in refused("tokens", "revoke", one)


def test_a_version_that_an_operator_set_is_adopted_at_once(
    run: Run, directory: dict[str, Any], refused: Callable[..., str]
) -> None:
    one = directory["id"]
    assert "no newer version" in refused("tokens", "adopt", one)
    in_application(lambda application: application.secret_store.set(secret_name_of(one), "s" * 40, {}))

    adopted = run("tokens", "adopt", one)["data"]

    assert (adopted[0]["state"], adopted[0]["last_four"]) == ("current", "ssss")


def test_mappings_are_set_added_and_removed(
    run: Run,
    directory: dict[str, Any],
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = directory["id"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"attribute_mappings": [TEAM_CODE]})))

    assert [each["name"] for each in run("mappings", "set", one, "-")["data"]] == ["team_code"]
    added = run("mappings", "add", one, "badges", f"{URN}:badges", "--multi-valued", "--type", "integer")["data"]
    assert added[1].items() >= {"name": "badges", "type": "integer", "multi_valued": True}.items()
    assert run("mappings", "add", one, "team_code", f"{URN}:teamCode")["data"] == added
    assert "choose another" in refused("mappings", "add", one, "email", "title")
    assert "has no attribute" in refused("mappings", "add", one, "a", "titel")
    assert run("mappings", "remove", one, "BADGES")["data"] == run("mappings", "list", one)["data"] == added[:1]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(run("mappings", "list", one))))
    assert run("mappings", "set", one, "-")["data"] == added[:1]
    assert "no mapping 'badges'" in refused("mappings", "remove", one, "badges")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is no JSON"),
        ("{}", "write a JSON list"),
        ("[1]", "attribute_mappings[0]: write a JSON list"),
        ('[{"name": "a"}]', "attribute_mappings[0].path: is required"),
        ('[{"name": "a", "path": "title", "sort": 1}]', "attribute_mappings[0].sort: is not a field of a mapping"),
        ('[{"name": "a", "path": "titel"}]', "attribute_mappings[a].path: User has no attribute"),
    ],
)
def test_a_file_of_mappings_that_is_not_accepted_changes_nothing(
    content: str, said: str, directory: dict[str, Any], refused: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "mappings.json"
    file.write_text(content, encoding="utf-8")

    assert said in refused("mappings", "set", directory["id"], str(file))
    assert "cannot be read" in refused("mappings", "set", directory["id"], str(tmp_path / "none.json"))

    read = in_application(lambda application: application.directories.get_directory(directory["id"]))
    assert read.attribute_mappings == ()


def test_the_first_key_opens_the_api_until_it_is_revoked(
    run: Run, organization: str, refused: Callable[..., str]
) -> None:
    made = run("keys", "create", "backend")
    limited = run("keys", "create", "reader", "--scopes", "read", "--organization", organization)

    def recognised(value: str) -> Any:
        return in_application(lambda application: application.api_keys.recognise(value))

    assert (recognised(made["key"]).scopes, recognised(made["key"]).organization_id) == (KEY_SCOPES, None)
    assert [each["id"] for each in run("keys", "list", "--organization", organization)["data"]] == [limited["id"]]
    assert made["key"] not in json.dumps(run("keys", "list"))
    assert run("keys", "revoke", made["id"]) == {"id": made["id"], "status": "revoked"}
    assert recognised(made["key"]) is None
    assert "no API key" in refused("keys", "revoke", "key_unknown")
    assert "no organization" in refused("keys", "create", "a", "--organization", f"org_{'0' * 32}")


def test_a_key_is_revoked_with_the_keys_that_it_made(run: Run) -> None:
    async def made(application: Application) -> list[ApiKey]:
        keys = application.api_keys
        first = (await keys.create("first", KEY_SCOPES)).key
        second = (await keys.create("second", KEY_SCOPES, made_by=first)).key
        return [first, second, (await keys.create("third", ["read"], made_by=second)).key]

    first, second, third = (key.id for key in in_application(made))

    revoked = run("keys", "revoke", first, "--cascade")

    assert revoked == {"id": first, "status": "revoked", "also_revoked": [second, third], "links_revoked": []}
    listed = {each["id"]: each for each in run("keys", "list")["data"]}
    assert [listed[key]["created_by"] for key in (first, second, third)] == [None, first, second]
    assert all(listed[key]["revoked_at"] for key in (first, second, third))
    assert run("keys", "revoke", first, "--cascade")["also_revoked"] == []


def test_a_link_to_the_portal_is_made_listed_and_revoked(run: Run, refused: Callable[..., str]) -> None:
    organization = run("organizations", "create", "Contoso")["id"]
    made = run("portal-link", organization, "--label", "for anna", "--max-uses", "2")
    assert made["url"].startswith(f"{BASE_URL}/portal/open#scimpl_{organization[4:]}_")

    (listed,) = run("portal-links", "list", organization)["data"]
    assert (listed["id"], listed["revoked_at"], listed["open_sessions"]) == (made["id"], None, 0)
    assert (listed["label"], listed["max_uses"], listed["uses"]) == ("for anna", 2, 0)
    assert run("portal-links", "show", organization, made["id"]) == listed
    assert run("portal-link", organization)["max_uses"] == 1
    assert "max_uses: give 1 to 100" in refused("portal-link", organization, "--max-uses", "0")
    assert "label: give 1 to 100 characters" in refused("portal-link", organization, "--label", " ")
    assert run("portal-links", "revoke", organization, made["id"])["status"] == "revoked"
    assert run("portal-links", "show", organization, made["id"])["revoked_at"]
    assert "no link" in refused("portal-links", "revoke", organization, f"lnk_{'0' * 16}")
    assert "no organization" in refused("portal-link", f"org_{'0' * 32}")


def test_what_is_shown_to_people_is_a_table_and_the_secret_once(
    directory: dict[str, Any], organization: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["directories", "list", organization]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "ID",
        "ORGANIZATION",
        "ID",
        "NAME",
        "PROVIDER",
        "STATUS",
        "CREATED",
        "AT",
        "DATA",
        "ACCOUNT",
    ]
    assert heading.index("NAME") == line.index("Entra")

    assert main(["tokens", "rotate", directory["id"]]) == 0
    out = capsys.readouterr().out
    assert out.count("scimdt_") == 1
    assert out.endswith("\nKeep the token now: it is not shown again.\n")

    assert main(["directories", "show", directory["id"]]) == 0
    out = capsys.readouterr().out
    assert "COUNTS              0 users, 0 active users, 0 groups\n" in out
    assert "HEALTH              state: waiting, reason: No request has arrived yet.\n" in out
    assert "previous" in out

    assert main(["mappings", "list", directory["id"]]) == 0
    assert capsys.readouterr().out == "no attribute mappings\n"


def test_the_module_runs_as_a_program(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "scim.admin", "keys", "create", "first", "--json"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["key"].startswith("scimak_")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["organizations"],
        ["organizations", "create"],
        ["directories", "create", "org_1", "a", "--provider", "other"],
        ["tokens", "rotate", "dir_1", "--overlap", "long"],
        ["tokens", "rotate", "dir_1", "--expires-at", "tomorrow"],
        ["keys", "create", "a", "--scopes", "all"],
    ],
)
def test_a_senseless_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_setting_and_an_outage_are_one_line_and_exit_code_2(
    environment: dict[str, str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = environment["DataStorage"]
    port = text.partition("TableEndpoint=http://127.0.0.1:")[2].partition("/")[0]
    monkeypatch.setenv("DataStorage", text.replace(f"127.0.0.1:{port}/", "127.0.0.1:9/"))
    assert refused("keys", "list", code=2).startswith("storage does not answer: ")
    monkeypatch.delenv("DataStorage")
    assert refused("keys", "list", code=2).startswith("DataStorage: is missing")


def test_commands_that_touch_no_token_need_no_secret_store(
    directory: dict[str, Any], run: Run, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = run("tokens", "list", directory["id"])["data"][0]["version"]
    monkeypatch.delenv("SCIM_SECRET_STORE")
    organization = directory["organization_id"]

    for command in (
        ["organizations", "list"],
        ["organizations", "rename", organization, "Contoso Ltd"],
        ["keys", "revoke", run("keys", "create", "backend")["id"]],
        ["portal-links", "list", organization],
        ["mappings", "add", directory["id"], "team_code", f"{URN}:teamCode"],
        ["directories", "list"],
        ["directories", "show", directory["id"]],
        ["tokens", "list", directory["id"]],
    ):
        run(*command)
    for command in (
        ["directories", "create", organization, "Other"],
        ["tokens", "rotate", directory["id"]],
        ["tokens", "revoke", directory["id"], version],
        ["tokens", "adopt", directory["id"]],
    ):
        assert refused(*command, code=2).startswith("SCIM_SECRET_STORE: is missing")
    run("directories", "disable", directory["id"])
    run("directories", "delete", directory["id"])


def test_options_name_a_deployment_in_place_of_the_environment() -> None:
    environment = {"DataStorage": "UseDevelopmentStorage=true", "SCIM_SECRET_STORE": "file:secrets.json"}
    options = Namespace(local=False, account="contoso", vault="contoso-kv", base_url=BASE_URL)

    deployed = deployment_settings(options, environment)

    assert deployed.storage.connection_string == ""
    assert deployed.storage.table_service_uri == "https://contoso.table.core.windows.net"
    assert (deployed.vault_url, deployed.public_base_url) == ("https://contoso-kv.vault.azure.net", BASE_URL)
    plain = Namespace(local=False, account=None, vault=None, base_url=None)
    others = {**environment, "SCIM_FURTHER_DATA_ACCOUNTS": "d2=AccountName=b", "SCIM_NEW_DIRECTORIES_IN": "d2"}
    assert deployment_settings(plain, others).storage.new_directories_in == ("d2",)
    assert deployment_settings(options, others) == deployed
    assert deployment_settings(plain, environment).secret_store_file == Path("secrets.json")
    local = deployment_settings(Namespace(**{**vars(plain), "local": True}), {})
    assert local.storage.connection_string == "UseDevelopmentStorage=true"
    assert local.secret_store_file is not None
    with pytest.raises(SettingsError):
        deployment_settings(Namespace(**{**vars(plain), "account": "a b", "vault": "kv"}), {})


def test_times_and_spans_are_read_as_people_write_them() -> None:
    assert moment("2027-01-31") == datetime(2027, 1, 31, tzinfo=UTC)
    assert moment("2027-01-31T12:00:00+01:00") == datetime(2027, 1, 31, 11, tzinfo=UTC)
    assert [span(text) for text in ("0", "90s", "30m", "12h", "7d")] == [
        timedelta(0),
        timedelta(seconds=90),
        timedelta(minutes=30),
        timedelta(hours=12),
        timedelta(days=7),
    ]
    for text in ("", "-1d", "7w", "d"):
        with pytest.raises(ArgumentTypeError):
            span(text)
    with pytest.raises(ArgumentTypeError):
        moment("0001-01-01T00:00:00+14:00")


def test_service_keys_are_listed_and_rotated_and_never_shown(run: Run, refused: Callable[..., str]) -> None:
    assert run("service-keys", "list") == {"data": []}
    first = run("service-keys", "rotate")["data"]
    second = run("service-keys", "rotate")["data"]
    listed = run("service-keys", "list")["data"]

    assert [(each["number"], each["state"]) for each in first] == [(1, "signing")]
    assert [(each["number"], each["state"]) for each in second] == [(1, "signing"), (2, "next")]
    assert listed == second
    assert all(each.keys() == {"number", "state", "made_at", "signs_from", "checks_until"} for each in listed)
    assert all(each["made_at"].endswith("Z") and each["signs_from"].endswith("Z") for each in listed)
    run("service-keys", "rotate")
    assert refused("service-keys", "rotate").startswith("there are as many service keys as there may be")
    assert [each["state"] for each in run("service-keys", "rotate", "--at-once")["data"]] == ["signing"]


def test_the_reference_lists_the_commands() -> None:
    expected = [f"| `{f'{each.noun} {each.verb}'.strip()}` | {each.summary} |" for each in COMMANDS]

    lines = document("docs/admin.md").lines
    first = lines.index(expected[0])
    assert lines[first : first + len(expected) + 1] == [*expected, ""]
