"""Running public suites and judging what they report."""

from __future__ import annotations

from pathlib import Path

from scim.local_host.public_checks import failures, read_waivers, run_script, verdict
from tests.documents import document

SCRIPT = """
folder=$(dirname "$0")
echo "$@" > "$folder/arguments"
echo "details: $folder/*.detail.txt"
exit 1
"""
WAIVED = "FAIL PATCH /Groups/{id} add member :: Expected 200, got 400"


def test_a_failure_is_waived_by_tool_and_pattern_with_its_reason(tmp_path: Path) -> None:
    for tool in ("sanity", "okta"):
        (tmp_path / f"{tool}.json.detail.txt").write_text(f"WAIVED x\n{WAIVED}\n")
    found = {each.tool: each for each in failures(tmp_path, read_waivers())}
    assert found["okta"].reason == ""
    assert "does not exist" in found["sanity"].reason
    assert found["okta"].text == WAIVED.removeprefix("FAIL ")


def test_every_waiver_has_a_reason_and_is_told_of_in_the_document() -> None:
    lines = document("docs/conformance.md").section("Checks that fail").splitlines()
    rows = [[cell.strip("| `") for cell in line.split(" | ")] for line in lines if line.startswith("| ")]

    for waiver in read_waivers():
        assert waiver.reason
        assert [check for suite, check, *_ in rows if suite == waiver.tool and waiver.pattern.search(check)]


def test_only_failures_without_a_waiver_fail(tmp_path: Path) -> None:
    assert verdict(0, tmp_path) == 0
    details = tmp_path / "sanity.json.detail.txt"
    details.write_text(WAIVED)
    assert verdict(1, tmp_path) == 0
    details.write_text(f"{WAIVED}\nFAIL other")
    assert verdict(1, tmp_path) == 1


def test_a_tool_that_did_not_run_fails(tmp_path: Path) -> None:
    assert verdict(3, tmp_path) == 3
    assert verdict(1, tmp_path) == 1
    assert verdict(0, None) == 1


def test_the_script_is_run_with_its_arguments_and_names_the_folder_of_the_details(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text(SCRIPT)
    assert run_script(["bash", str(script), "url", "token"]) == (1, tmp_path)
    assert (tmp_path / "arguments").read_text() == "url token\n"
