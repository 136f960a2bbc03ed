"""The table in memory keeps the promises of the table interface that need neither faults nor a wire."""

from __future__ import annotations

from inspect import signature

import pytest

from scim.adapters.tables.table import Table
from tests.contract import test_table_contract
from tests.fakes.memory_table import MemoryTable


@pytest.fixture
def table() -> Table:
    return MemoryTable()


globals().update(
    {
        name: test
        for name, test in vars(test_table_contract).items()
        if name.startswith("test_") and set(signature(test).parameters) <= {"table", "partition"}
    }
)
