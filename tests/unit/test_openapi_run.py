"""What `make openapi` knows of the API."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from scim.management.registry import OPERATIONS

CONFIGURATION = Path(__file__).parents[1] / "openapi" / "schemathesis.toml"


def test_every_path_parameter_has_the_id_of_something_that_is_there() -> None:
    named = {name for operation in OPERATIONS for name in re.findall(r"\{(\w+)\}", operation.path)}

    assert set(tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["parameters"]) == named
