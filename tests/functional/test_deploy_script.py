"""The deployment script over a stub of az that takes only what the Azure CLI takes."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.documents import PROJECT, project_documents
from tests.fakes import az

SCRIPT = "infra/deploy.sh"
OUTPUTS = {
    "functionAppName": "func-scim-abc",
    "tableServiceUri": "https://data.table.core.windows.net",
    "queueServiceUri": "https://data.queue.core.windows.net",
    "furtherDataAccounts": "",
    "newDirectoriesIn": "",
    "vaultUri": "https://kv-scim-abc.vault.azure.net",
    "packageAccountName": "sthost",
    "packageContainerName": "packages",
}
BUDGETS = ["consumption", "budget", "list", "--resource-group", "rg", "--output", "tsv"]
BLOBS = ["--account-name", "sthost", "--container-name", "packages", "--auth-mode", "login"]
PACKAGES = "20260101T000000Z-aaaaaaaaaaaa.zip\n20260102T000000Z-bbbbbbbbbbbb.zip\n20260103T000000Z-bbbbbbbbbbbb.zip\n"
LOCK = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Authorization/locks/keep"
)
DIRECTORY = "/scim/v2/dir_00000000000000000000000000000000"
HEALTHY = {"/health": 200, "/health/ready": 200, f"{DIRECTORY}/ServiceProviderConfig": 200, f"{DIRECTORY}/Users": 401}
Answers = Mapping[str, Sequence[tuple[int, str]]]


@dataclass
class FakeApp:
    """An app that answers each path with a status."""

    statuses: dict[str, int]
    base_url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def app() -> Iterator[FakeApp]:
    fake = FakeApp(dict(HEALTHY))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append(self.path)
            self.send_response(fake.statuses[self.path])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.base_url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Stage:
    """A checkout with the script in it, and a path on which az is the stub."""

    folder: Path
    app: FakeApp

    def run(self, *arguments: str, answers: Answers | None = None, typed: str = "", **settings: str) -> Ran:
        """Run the script; ``answers`` tell what az says beside the usual."""
        usual = {"deployment group show": [(0, outputs(self.app.base_url))], "group exists": [(0, "true\n")]}
        (self.folder / "answers.json").write_text(json.dumps({**usual, **(answers or {})}))
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "AZ_STAGE": str(self.folder),
            "SCIM_DEPLOY_PAUSE": "0",
            "SCIM_PYTHON": f"{self.folder}/bin/python",
            **settings,
        }
        ran = subprocess.run(
            [self.folder / SCRIPT, *arguments],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            input=typed,
            timeout=60,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr, az.calls(self.folder))


@dataclass(frozen=True)
class Ran:
    """What came of it; ``calls`` are those of az, without whether somebody is logged in and the outputs."""

    code: int
    out: str
    err: str
    every_call: list[list[str]]

    @property
    def calls(self) -> list[list[str]]:
        asides = (["account", "show"], ["deployment", "group", "show"])
        return [call for call in self.every_call if not any(call[: len(aside)] == aside for aside in asides)]


@pytest.fixture
def stage(tmp_path: Path, app: FakeApp) -> Stage:
    for name in ("infra", "bin"):
        (tmp_path / name).mkdir()
    shutil.copy(PROJECT / SCRIPT, tmp_path / SCRIPT)
    program(
        tmp_path / "bin/az",
        'echo "${SCIM_OPERATOR_ID-}" >"$AZ_STAGE/operator"\n'
        f'PYTHONPATH={PROJECT} exec {sys.executable} -m tests.fakes.az "$@"',
    )
    program(
        tmp_path / "bin/python",
        f'if [ "$1" = -c ]; then exec {sys.executable} "$@"; fi\n'
        'echo "$SCIM_FURTHER_DATA_ACCOUNTS $SCIM_NEW_DIRECTORIES_IN" >"$AZ_STAGE/accounts"\n'
        'echo "$DataStorage__tableServiceUri $SCIM_SECRET_STORE $SCIM_PUBLIC_BASE_URL $*" >>"$AZ_STAGE/admin"\n'
        'case "$*" in ${REFUSED-none}) exit 1 ;; esac\n'
        'case "$*" in *organizations*) echo \'{"id": "org_1"}\' ;; esac',
    )
    (tmp_path / "Makefile").write_text("package:\n\t@mkdir -p dist && echo zip >dist/functions.zip\n")
    (tmp_path / ".gitignore").write_text("*\n")
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message", "empty"]
    for command in (["init", "--quiet"], commit):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return Stage(tmp_path, app)


def test_provisioning_creates_the_group_registers_the_provider_and_deploys(stage: Stage) -> None:
    ran = stage.run("provision", "rg", "westeurope", "infra/a.bicepparam", answers={"group exists": [(0, "false\n")]})

    assert ran.code == 0, ran.err
    assert [shlex.join(call) for call in ran.calls] == [
        "group exists --name rg",
        "group create --name rg --location westeurope --output none",
        "ad signed-in-user show --query id --output tsv",
        "provider show --namespace Microsoft.App --query registrationState --output tsv",
        "provider register --namespace Microsoft.App --wait",
        shlex.join([*BUDGETS, "--query", "[?starts_with(name, 'budget-')].timePeriod.startDate | [:1]"]),
        "deployment group create --resource-group rg --name scim --parameters infra/a.bicepparam --output none",
    ]
    assert f"provisioned for {stage.app.base_url}" in ran.err


@pytest.mark.parametrize("command", ["preview", "provision"])
def test_a_budget_keeps_the_month_in_which_it_began(stage: Stage, command: str) -> None:
    began: Answers = {"consumption budget list": [(0, "2026-01-01T00:00:00Z\n")]}

    ran = stage.run(command, "rg", "westeurope", "a b.bicepparam", answers=began)

    assert ran.code == 0, ran.err
    assert (
        shlex.join(ran.calls[-1])
        .partition("--parameters")[2]
        .startswith(" 'a b.bicepparam' --parameters budgetStart=2026-01-01")
    )


def test_budgets_that_cannot_be_read_do_not_stop_who_has_none(stage: Stage) -> None:
    ran = stage.run("provision", "rg", "x", "a", answers={"consumption budget list": [(1, "")]})

    assert ran.code == 0, ran.err
    assert "the budgets of rg cannot be read" in ran.err


def test_a_provider_that_is_registered_needs_no_right_to_register_it(stage: Stage) -> None:
    answers: Answers = {"provider show": [(0, "Registered\n")], "provider register": [(1, "")]}

    ran = stage.run("provision", "rg", "westeurope", "infra/a.bicepparam", answers=answers)

    assert ran.code == 0, ran.err
    assert ["provider", "register"] not in [call[:2] for call in ran.calls]


def test_a_group_that_exists_is_left_as_it_is(stage: Stage) -> None:
    ran = stage.run("preview", "rg", "westeurope", "infra/a.bicepparam")

    assert [call[:2] for call in ran.calls] == [
        ["group", "exists"],
        ["ad", "signed-in-user"],
        ["consumption", "budget"],
        ["deployment", "group"],
    ]


def test_who_is_logged_in_gets_the_operators_roles_unless_another_is_named(stage: Stage) -> None:
    signed_in: Answers = {"ad signed-in-user show": [(0, "me\n")]}

    stage.run("preview", "rg", "x", "a", answers=signed_in)
    assert (stage.folder / "operator").read_text() == "me\n"

    stage.run("preview", "rg", "x", "a", answers=signed_in, SCIM_OPERATOR_ID="another")
    assert (stage.folder / "operator").read_text() == "another\n"


def test_publishing_builds_publishes_keeps_and_then_checks_the_package(stage: Stage) -> None:
    ran = stage.run("publish", "rg")

    assert ran.code == 0, ran.err
    published, kept = ran.calls
    package = f"{stage.folder}/dist/functions.zip"
    assert (
        published
        == (
            "functionapp deployment source config-zip --resource-group rg --name func-scim-abc "
            f"--src {package} --build-remote true --timeout 900 --output none"
        ).split()
    )
    assert kept[:3] == ["storage", "blob", "upload"]
    assert kept[3:9] == BLOBS
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{commit_of(stage)}\.zip", kept[kept.index("--name") + 1])
    assert stage.app.asked == list(HEALTHY)


def test_publishing_waits_for_roles_that_do_not_act_yet(stage: Stage) -> None:
    failing = [(1, ""), (0, "")]
    ran = stage.run(
        "publish",
        "rg",
        answers={"functionapp deployment source config-zip": failing, "storage blob upload": [(1, ""), *failing]},
    )

    assert ran.code == 0, ran.err
    assert [call[2] for call in ran.calls] == ["source", "source", "upload", "upload", "upload"]


def test_a_package_that_does_not_answer_is_kept_so_that_rolling_back_leads_away_from_it(stage: Stage) -> None:
    stage.app.statuses[f"{DIRECTORY}/Users"] = 200

    ran = stage.run("publish", "rg")

    assert ran.code == 1
    assert [call[2] for call in ran.calls] == ["source", "upload"]
    assert "or infra/deploy.sh rollback rg" in ran.err
    assert "/Users answered 200, not 401" in ran.err
    assert "Stopped: nobody gets in without a token: this failed 3 times" in ran.err


def test_what_is_not_committed_is_not_published(stage: Stage) -> None:
    (stage.folder / ".gitignore").unlink()

    ran = stage.run("publish", "rg")

    assert (ran.code, ran.calls) == (1, [])
    assert "What to do: commit them" in ran.err


def test_what_is_no_checkout_is_not_published(stage: Stage) -> None:
    shutil.rmtree(stage.folder / ".git")

    ran = stage.run("publish", "rg", GIT_CEILING_DIRECTORIES=str(stage.folder.parent))

    assert (ran.code, ran.calls) == (1, [])
    assert "What to do: clone the repository" in ran.err


def test_rolling_back_publishes_the_newest_package_of_another_commit_again(stage: Stage) -> None:
    ran = stage.run("rollback", "rg", answers={"storage blob list": [(0, PACKAGES)]})

    assert ran.code == 0, ran.err
    listed, fetched, published, kept = ran.calls
    assert listed == ["storage", "blob", "list", *BLOBS, "--query", "sort([].name)", "--output", "tsv"]
    assert fetched[fetched.index("--name") + 1] == "20260101T000000Z-aaaaaaaaaaaa.zip"
    assert published[published.index("--src") + 1] == fetched[fetched.index("--file") + 1]
    assert kept[kept.index("--name") + 1].endswith("Z-aaaaaaaaaaaa.zip")


def test_rolling_back_takes_the_package_that_is_named(stage: Stage) -> None:
    ran = stage.run("rollback", "rg", "20260102T000000Z-bbbbbbbbbbbb.zip")

    assert ran.code == 0, ran.err
    assert [call[2] for call in ran.calls] == ["download", "source", "upload"]


@pytest.mark.parametrize("listed", ["", "20260101T000000Z-aaaaaaaaaaaa.zip\n"])
def test_without_an_earlier_package_nothing_is_rolled_back(stage: Stage, listed: str) -> None:
    ran = stage.run("rollback", "rg", answers={"storage blob list": [(0, listed)]})

    assert ran.code == 1
    assert "there is no package of an earlier commit" in ran.err
    assert len(ran.calls) == 1


def test_packages_that_cannot_be_listed_are_an_error_and_not_none(stage: Stage) -> None:
    ran = stage.run("rollback", "rg", answers={"storage blob list": [(1, "")]})

    assert ran.code == 1
    assert "the packages cannot be listed" in ran.err
    assert "no package of an earlier commit" not in ran.err


def test_a_directory_is_made_with_the_settings_of_the_deployment(stage: Stage) -> None:
    ran = stage.run("directory", "rg", "Contoso GmbH", "Entra ID")

    assert ran.code == 0, ran.err
    place = f"{OUTPUTS['tableServiceUri']} {OUTPUTS['vaultUri']} {stage.app.base_url} -m scim.admin"
    assert (stage.folder / "admin").read_text().splitlines() == [
        f"{place} keys list",
        f"{place} organizations create Contoso GmbH --json",
        f"{place} directories create org_1 Entra ID",
    ]


def test_a_directory_that_was_not_made_can_be_made_in_the_organization_that_was(stage: Stage) -> None:
    ran = stage.run("directory", "rg", "Contoso GmbH", "Entra ID", REFUSED="*directories*")

    assert ran.code == 1
    assert ran.err.endswith("Then: infra/deploy.sh admin rg directories create org_1 'Entra ID'\n")


def test_nothing_is_made_until_the_tables_let_the_operator_in(stage: Stage) -> None:
    ran = stage.run("key", "rg", "backend", REFUSED="*list*")

    assert ran.code == 1
    assert "Stopped: the tables let you in: this failed 30 times" in ran.err
    assert "create" not in (stage.folder / "admin").read_text()


def test_a_directory_is_placed_where_the_deployment_says(stage: Stage) -> None:
    further = {"furtherDataAccounts": "d2=https://b.table.core.windows.net", "newDirectoriesIn": "d2"}
    answers = {"deployment group show": [(0, outputs(stage.app.base_url, **further))]}

    stage.run("directory", "rg", "Contoso GmbH", "Entra ID", answers=answers)

    assert (stage.folder / "accounts").read_text() == f"{' '.join(further.values())}\n"


def test_a_key_is_made_and_another_command_line_is_passed_on(stage: Stage) -> None:
    stage.run("key", "rg", "backend")
    stage.run("admin", "rg", "keys", "revoke", "key_1")

    asked = [line.partition("scim.admin ")[2] for line in (stage.folder / "admin").read_text().splitlines()]
    assert asked == ["keys list", "keys create backend", "keys revoke key_1"]


def test_deleting_removes_locks_first_and_tells_of_the_vault(stage: Stage) -> None:
    locks = {"lock list": [(0, "/locks/a\n/locks/b c\n")], "keyvault list": [(0, "kv-scim-abc\n")]}

    ran = stage.run("delete", "rg", typed="rg\n", answers=locks)

    assert ran.code == 0, ran.err
    assert ran.calls[2:] == [
        ["lock", "delete", "--ids", "/locks/a"],
        ["lock", "delete", "--ids", "/locks/b c"],
        ["group", "delete", "--name", "rg", "--yes"],
    ]
    assert "az keyvault recover --name kv-scim-abc" in ran.err


def test_what_was_provisioned_by_half_is_deleted_as_well(stage: Stage) -> None:
    ran = stage.run("delete", "rg", typed="rg\n", answers={"deployment group show": [(1, "")]})

    assert ran.code == 0, ran.err
    assert ran.calls[-1] == ["group", "delete", "--name", "rg", "--yes"]


def test_nothing_is_deleted_when_another_name_is_typed(stage: Stage) -> None:
    ran = stage.run("delete", "rg", typed="yes\n")

    assert (ran.code, ran.calls) == (1, [])
    assert "nothing was deleted" in ran.err


@pytest.mark.parametrize(
    ("command", "failing"),
    [
        (("provision", "rg", "x", "a"), "provider register"),
        (("provision", "rg", "x", "a"), "deployment group create"),
        (("publish", "rg"), "functionapp deployment source config-zip"),
        (("publish", "rg"), "storage blob upload"),
        (("rollback", "rg", "a-b.zip"), "storage blob download"),
        (("delete", "rg"), "keyvault list"),
        (("delete", "rg"), "lock list"),
        (("delete", "rg"), "lock delete"),
        (("delete", "rg"), "group delete"),
    ],
)
def test_the_first_failure_stops_and_says_what_to_do(stage: Stage, command: Sequence[str], failing: str) -> None:
    ran = stage.run(*command, typed="rg\n", answers={"lock list": [(0, "/locks/a\n")], failing: [(1, "")]})

    assert ran.code == 1
    assert " ".join(ran.every_call[-1]).startswith(failing)
    assert re.search(r"^Stopped: .+\nWhat to do: .+\n\Z", ran.err, re.MULTILINE)


@pytest.mark.parametrize("answer", [(1, ""), (0, "\n")])
def test_a_group_without_a_finished_deployment_is_named(stage: Stage, answer: tuple[int, str]) -> None:
    ran = stage.run("smoke", "rg", answers={"deployment group show": [answer]})

    assert ran.code == 1
    assert "What to do: infra/deploy.sh provision rg LOCATION PARAMETERS" in ran.err


def test_nobody_logged_in_is_told_to_log_in(stage: Stage) -> None:
    ran = stage.run("smoke", "rg", answers={"account show": [(1, "")]})

    assert ran.code == 1
    assert "What to do: az login" in ran.err


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_help_lists_every_command(stage: Stage, arguments: Sequence[str]) -> None:
    ran = stage.run(*arguments)

    assert ran.code == 0
    assert set(re.findall(r"^  (\w+) +GROUP", ran.out, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("arguments", [("publish",), ("publish", "rg", "more"), ("key", "rg"), ("unknown", "rg")])
def test_a_command_line_that_makes_no_sense_shows_the_usage(stage: Stage, arguments: Sequence[str]) -> None:
    ran = stage.run(*arguments)

    assert (ran.code, ran.every_call) == (2, [])
    assert "infra/deploy.sh COMMAND GROUP" in ran.err


def test_the_stub_refuses_what_the_azure_cli_does_not_take(stage: Stage) -> None:
    ran = stage.run("provision", "rg", "x", "a")
    assert ran.code == 0
    for wrong in (["group", "create", "--nme", "rg"], ["group", "make", "--name", "rg"]):
        refused = subprocess.run(
            [stage.folder / "bin/az", *wrong], env={"AZ_STAGE": str(stage.folder)}, capture_output=True, check=False
        )
        assert refused.returncode == 2


COMMANDS = {
    "preview": ("rg", "westeurope", "infra/development.bicepparam"),
    "provision": ("rg", "westeurope", "infra/development.bicepparam"),
    "publish": ("rg",),
    "packages": ("rg",),
    "rollback": ("rg",),
    "smoke": ("rg",),
    "key": ("rg", "backend"),
    "directory": ("rg", "Contoso", "Entra"),
    "admin": ("rg", "keys", "list"),
    "delete": ("rg",),
}


@pytest.mark.slow
def test_the_azure_cli_takes_every_command_line(stage: Stage, tmp_path: Path) -> None:
    """Offline and logged out it says 'az login' with exit code 1 where the line is right, and 2 where it is wrong."""
    cli = PROJECT / ".local/venv-azure-cli/bin/az"
    if not cli.exists():
        pytest.skip("the Azure CLI is not in .local/venv-azure-cli: make azure-cli puts it there (0.7 GB)")
    missing = {"group exists": [(0, "false")], "lock list": [(0, LOCK)], "storage blob list": [(0, PACKAGES)]}
    for command, arguments in COMMANDS.items():
        stage.run(command, *arguments, typed="rg\n", answers=missing)
    lines = [call for call in az.calls(stage.folder) if call[:2] != ["account", "show"]] + documented_lines()
    bicep = bicep_folder()
    if not bicep:
        lines = [line for line in lines if not any(word.endswith(".bicepparam") for word in line)]

    environment = {
        "AZURE_CONFIG_DIR": str(tmp_path / "azure"),
        "AZURE_BICEP_USE_BINARY_FROM_PATH": "true",
        "PATH": f"{bicep}:{os.environ['PATH']}",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "HOME": str(tmp_path),
    }
    wrong = {}
    for line in {shlex.join(line): line for line in lines}.values():
        said = subprocess.run(
            [cli, *line], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
        )
        if said.returncode != 1 or "az login" not in said.stderr:
            wrong[shlex.join(line)] = (said.returncode, said.stderr)
    assert len(lines) > 20
    assert not wrong


def bicep_folder() -> str:
    """Return the folder of the Bicep CLI, which az needs for a parameter file, or nothing."""
    found = shutil.which("bicep", path=f"{PROJECT}/../shared/tools/bicep:{os.environ['PATH']}")
    return str(Path(found).parent) if found else ""


def documented_lines() -> list[list[str]]:
    """Return the az commands in the documents that need a login.

    What the shell would put in is a word, and a file is one that is there.
    """
    variables = {
        "$PARAMETERS": "infra/development.bicepparam",
        "$GROUP": "rg",
        "$1": "baseUrl",
        "$lock": LOCK,
        "token.txt": SCRIPT,
    }
    lines: list[str] = []
    for each in project_documents():
        text = "\n".join([*each.blocks("sh"), *each.code]).replace("\\\n", " ")
        for name, value in variables.items():
            text = text.replace(name, value)
        while inner := re.search(r"\$\(([^()]*)\)", text):
            lines.append(inner[1])
            text = text.replace(inner[0], "word")
        lines += re.findall(r"(?:^|\{ |do )(az [^;\n]+)", text, re.MULTILINE)
    asides = ("az login", "az account")
    return [shlex.split(line)[1:] for line in lines if re.match(r"az .* -", line) and not line.startswith(asides)]


def commit_of(stage: Stage) -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=stage.folder, check=True, capture_output=True, text=True).stdout.strip()


def outputs(base_url: str, **others: str) -> str:
    """Return the outputs in the order in which the script asks for them."""
    named = {**OUTPUTS, "baseUrl": base_url, **others}
    asked = re.findall(r"(\w+)\.value", (PROJECT / SCRIPT).read_text(encoding="utf-8"))
    return "".join(f"{named[name]}\n" for name in asked)


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
