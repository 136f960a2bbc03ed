"""The documents hold together: links resolve, decision records have their form, what is named exists."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scim.local_host.announcement import Announcement
from scim.local_host.api_access import ApiAccess
from scim.local_host.directories import DirectoryAccess
from tests.documents import PROJECT, Document, document, project_documents

DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("[0-9]*.md"))
DECISION_HEADINGS = ["Context", "Decision", "Consequences", "Alternatives"]
FOLDERS = ("scim/", "tests/", "docs/", "benchmarks/", "infra/", ".ci/")
CALL = re.compile(r"(?:\w+\.)*\w+(?=\(\)$)")
TEST_NAME = re.compile(r"test_\w+")
MAKE = re.compile(r"make ([a-z][a-z-]*)")

every_document = pytest.mark.parametrize("each", project_documents(), ids=lambda each: each.name)


@every_document
def test_links_lead_somewhere(each: Document) -> None:
    broken = [target for target in each.links if not leads_somewhere(each, target)]

    assert not broken


@every_document
def test_images_have_an_alternative_text(each: Document) -> None:
    assert not [target for target, alternative in each.images.items() if len(alternative) < len("a short sentence")]


@every_document
def test_lines_of_a_table_have_as_many_cells_as_its_head(each: Document) -> None:
    """A ``|`` in a cell is written ``\\|``, also between backticks."""
    uneven, expected = [], 0
    for line in each.lines:
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        expected = cells if not expected or not cells else expected
        uneven += [line] if cells != expected else []

    assert not uneven


@every_document
def test_files_and_folders_that_are_named_exist(each: Document) -> None:
    named = [token for token in each.code if token.startswith(FOLDERS) and not re.search(r"[ {]", token)]

    assert not [name for name in named if not exists(name)]


@every_document
def test_functions_that_are_named_exist_in_the_file_beside_them(each: Document) -> None:
    """``name()`` is looked for in the files that its line names, or anywhere where it names none."""
    missing = [
        f"{call} in {files or 'any file'}" for call, files in named_calls(each) if not is_defined(call, files or None)
    ]

    assert not missing


@every_document
def test_tests_that_are_named_exist(each: Document) -> None:
    missing = {token for token in each.code if TEST_NAME.fullmatch(token)} - known_tests()

    assert not missing


@every_document
def test_make_targets_that_are_named_exist(each: Document) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    commands = [*each.code, *(line for block in each.blocks("sh") for line in block.splitlines())]

    missing = {match[1] for command in commands if (match := MAKE.match(command))} - targets

    assert not missing


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_four_headings(path: Path) -> None:
    record = Document(path)
    title, *headings = record.headings

    assert headings == DECISION_HEADINGS
    assert title.startswith(f"{path.name[:4]} — ")
    assert all(record.section(heading).strip() for heading in headings)


def test_decision_records_are_numbered_without_gap() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


def test_every_decision_record_is_listed_with_its_title() -> None:
    listed = re.findall(r"^- \[([^\]]+)\]\(([^)]+)\)$", document("docs/decisions/README.md").text, re.MULTILINE)

    assert listed == [(Document(path).headings[0], path.name) for path in DECISIONS]


def test_every_document_is_listed_in_the_readme_or_in_the_list_of_decisions() -> None:
    linked = {
        (source.path.parent / target.partition("#")[0]).resolve()
        for source in (document("README.md"), document("docs/decisions/README.md"))
        for target in source.links
    }

    unlisted = {each.name for each in project_documents() if each.path not in linked} - {"README.md"}

    assert not unlisted


def test_every_exchange_with_entra_is_told_of_and_every_behaviour_is_shown() -> None:
    exchanges = {path.stem for path in (PROJECT / "tests" / "entra_exchanges").glob("*.json")}
    rows = [line.split("|") for line in document("docs/entra.md").lines if line.startswith("| ")]
    shown = {name for cells in rows for name in re.findall(r"`([^`]+)`", cells[-2])}

    assert shown == exchanges | (shown & known_tests())
    assert all("`" in cells[-2] for cells in rows if "Shown by" not in cells[-2])


def test_the_picture_of_the_flow_is_drawn_for_light_and_for_dark() -> None:
    path = PROJECT / "docs" / "images" / "flow.svg"
    picture = ET.fromstring(path.read_text(encoding="utf-8"))

    assert picture.get("role") == "img"
    assert picture.findtext("{http://www.w3.org/2000/svg}title")
    assert "prefers-color-scheme: dark" in (picture.findtext("{http://www.w3.org/2000/svg}style") or "")
    assert "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


def test_the_changelog_has_the_projects_version() -> None:
    (version,) = re.findall(r'^version = "([^"]+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    headings = document("CHANGELOG.md").headings

    assert headings[1] == "[Unreleased]"
    assert any(heading.startswith(f"[{version}]") for heading in headings)


def test_every_release_in_the_changelog_says_whether_older_code_may_meet_its_rows() -> None:
    _, *releases = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")

    silent = [
        each.partition("\n")[0]
        for each in releases
        if not re.search(r"^Older code may meet newer rows: (yes|no)", each, re.MULTILINE)
    ]
    assert not silent


def test_the_readme_shows_what_a_start_prints(capsys: pytest.CaptureFixture[str]) -> None:
    base_url = "http://127.0.0.1:7071"
    Announcement(
        base_url=base_url,
        directories=[DirectoryAccess(f"{base_url}/scim/v2/dir_…", "scimdt_…", "dir_…", "org_…")],
        api=ApiAccess(f"{base_url}/api/v1", "scimak_…"),
        storage="",
        app_pids=[],
        azurite_pids=[],
        host_name="our development host (not for production)",
        data="in .local/storage, by Azurite on the ports 10000, 10001, 10002",
        portal_url=f"{base_url}/portal/open#scimpl_…",
    ).print_text()

    assert capsys.readouterr().out.strip() in [block.strip() for block in document("README.md").blocks("")]


def leads_somewhere(source: Document, target: str) -> bool:
    """Tell whether a relative link names a file and an anchor in it; addresses elsewhere are not looked up."""
    if re.match(r"https?://|mailto:", target):
        return True
    file, _, anchor = target.partition("#")
    path = (source.path.parent / file).resolve() if file else source.path
    if not path.exists() or not path.is_relative_to(PROJECT):
        return False
    return not anchor or (path.suffix == ".md" and anchor in Document(path).anchors)


def exists(name: str) -> bool:
    return any(PROJECT.glob(name.rstrip("/")))


def named_calls(source: Document) -> Iterator[tuple[str, list[str]]]:
    for line in source.lines:
        tokens = re.findall(r"`([^`]+)`", line)
        files = [token for token in tokens if token.startswith("scim/") and token.endswith(".py")]
        yield from ((match[0], files) for token in tokens if (match := CALL.match(token)))


def is_defined(name: str, files: list[str] | None) -> bool:
    return any(name in defined for file, defined in definitions().items() if files is None or file in files)


@cache
def definitions() -> dict[str, set[str]]:
    """Return what each file of the code defines: functions, classes, and ``Class.method``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in [*(PROJECT / "scim").rglob("*.py"), *(PROJECT / "tests").rglob("*.py"), PROJECT / "function_app.py"]:
        names = found[path.relative_to(PROJECT).as_posix()]
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names |= {node.name, *(f"{node.name}.{inner}" for inner in methods(node))}
    return found


def methods(node: ast.stmt) -> list[str]:
    if not isinstance(node, ast.ClassDef):
        return []
    return [inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)]


@cache
def known_tests() -> set[str]:
    """Return the names of all test functions, and of the files they are in."""
    functions = {name for defined in definitions().values() for name in defined if TEST_NAME.fullmatch(name)}
    return functions | {path.stem for path in (PROJECT / "tests").rglob("test_*.py")}


@every_document
def test_no_mark_of_a_merge_is_left_in_a_document(each: Document) -> None:
    assert not re.findall(r"^(?:<{7} |={7}$|>{7} ).*", each.text, flags=re.MULTILINE)
