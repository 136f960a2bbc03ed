"""What alerts, compared with the documents, and what alerts and the workbook ask for, with what the service writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from anthonycmartin.bicep_testing import SnapshotResource

from tests.documents import document
from tests.infra.bicep import INFRA, Deployment

OPERATIONS = document("docs/operations.md")
RULE_KINDS = ("Insights/metricAlerts", "Insights/scheduledQueryRules")
FIELD = re.compile(r'\bline\.(\w+)|\bline\["([^"]+)"\]')


def test_every_alert_is_documented_with_its_times_and_its_severity(operated: Deployment) -> None:
    documented = {
        (name, every, over, severity)
        for line in OPERATIONS.section("Alerts").splitlines()
        if line.startswith("| `")
        for name, _, every, over, severity in [[cell.strip(" `") for cell in line.strip("|").split("|")]]
    }
    made = {
        (base_name(rule), each["evaluationFrequency"], each["windowSize"], str(each["severity"]))
        for rule in rules(operated)
        for each in [rule.properties]
    }

    assert made == documented


def test_what_to_do_is_told_for_every_alert(operated: Deployment) -> None:
    told = {name for name in OPERATIONS.headings if OPERATIONS.section(name).strip()}

    assert {base_name(rule) for rule in rules(operated)} <= told


def test_silence_is_told_only_when_asked_for(development: Deployment, operated: Deployment) -> None:
    assert {base_name(rule) for rule in rules(operated)} - {base_name(rule) for rule in rules(development)} == {
        "silence"
    }


def test_an_answer_that_needs_no_token_does_not_break_the_silence(operated: Deployment) -> None:
    (silence,) = [rule for rule in rules(operated) if base_name(rule) == "silence"]

    assert "isnotempty(directory)" in silence.properties["criteria"]["allOf"][0]["query"]


def test_tables_of_every_data_account_are_watched(operated: Deployment) -> None:
    watched = {scope for rule in rules(operated) for scope in rule.properties["scopes"] if "tableServices" in scope}

    assert len(watched) == 3
    assert all(scope.endswith("/tableServices/default") for scope in watched)


def test_every_alert_tells_somebody_where_there_is_somebody(operated: Deployment, production: Deployment) -> None:
    assert all(told(rule) == ["operations"] for rule in rules(operated))
    group = production.only("Insights/actionGroups").name
    assert all(told(rule) == [group] for rule in rules(production))


def test_rules_on_lines_can_be_made_before_the_first_line(development: Deployment) -> None:
    for rule in development.of_type("Insights/scheduledQueryRules"):
        (criterion,) = rule.properties["criteria"]["allOf"]
        assert rule.properties["skipQueryValidation"] is True
        assert "union isfuzzy=true AppTraces" in criterion["query"]
        assert criterion["metricMeasureColumn"] == "n"
        assert re.search(r"\bn = ", criterion["query"])


def test_lines_are_looked_for_where_they_arrive(quiet: Deployment, operated: Deployment) -> None:
    assert "AppTraces" in workbook(operated)
    assert "FunctionAppLogs" not in workbook(operated)
    assert "FunctionAppLogs" in workbook(quiet)
    assert "AppTraces" not in workbook(quiet)


def test_no_placeholder_is_left_in_a_query(operated: Deployment) -> None:
    texts = [workbook(operated), *(json.dumps(dict(rule.properties)) for rule in rules(operated))]

    assert {found for text in texts for found in re.findall(r"\{[A-Za-z]+(?::[a-z]+)?\}", text)} == {
        "{Directory}",
        "{TimeRange:grain}",
    }


def test_queries_read_only_fields_and_events_that_the_service_writes() -> None:
    queries = "\n".join(path.read_text() for path in sorted((INFRA / "queries").glob("*.kql")))
    documented = set(re.findall(r"`([^`]+)`", OPERATIONS.section("Signals")))
    read = {name for pair in FIELD.findall(queries) for name in pair if name}
    events = set(re.findall(r'"((?:scim|api|service)_\w+)"', queries))

    assert read - {"event"} <= documented
    assert events <= documented


def rules(deployment: Deployment) -> list[SnapshotResource]:
    return [rule for kind in RULE_KINDS for rule in deployment.of_type(kind)]


def base_name(rule: SnapshotResource) -> str:
    """Return the name without what tells deployments apart."""
    return re.sub(r"-scim.*$", "", rule.name)


def told(rule: SnapshotResource) -> list[str]:
    actions = rule.properties["actions"]
    ids: Iterator[str] = iter(
        actions["actionGroups"] if isinstance(actions, dict) else (each["actionGroupId"] for each in actions)
    )
    return [each.rpartition("/")[2] for each in ids]


def workbook(deployment: Deployment) -> str:
    text: str = deployment.only("Insights/workbooks").properties["serializedData"]
    return text
