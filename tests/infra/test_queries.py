"""What alerts and the workbook ask is KQL that Microsoft's own parser understands."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.infra.bicep import Deployment
from tests.infra.kql import defects, install_kql

WORKBOOK_VALUES = {"{Directory}": "dir_0192f0c10192f0c10192f0c10192f0c1", "{TimeRange:grain}": "5m"}
QUERIES = 11


@pytest.fixture(scope="module", autouse=True)
def parser() -> None:
    if reason := install_kql():
        pytest.skip(reason)


def test_every_query_is_understood_with_telemetry_and_without(operated: Deployment, quiet: Deployment) -> None:
    queries = [*alert_queries(operated), *workbook_queries(operated)]

    assert len(queries) == QUERIES
    assert defects([*queries, *workbook_queries(quiet)]) == []


def test_a_column_that_is_not_there_is_noticed() -> None:
    (found,) = defects(['AppTraces | where Mesage startswith "{"'])

    assert "'Mesage'" in found


def alert_queries(deployment: Deployment) -> Iterator[str]:
    for rule in deployment.of_type("Insights/scheduledQueryRules"):
        yield rule.properties["criteria"]["allOf"][0]["query"]


def workbook_queries(deployment: Deployment) -> Iterator[str]:
    """Yield what the workbook asks once its parameters are chosen."""
    workbook = json.loads(deployment.only("Insights/workbooks").properties["serializedData"])
    for item in workbook["items"]:
        query = item["content"].get("query", "")
        for name, value in WORKBOOK_VALUES.items():
            query = query.replace(name, value)
        if query:
            yield query
