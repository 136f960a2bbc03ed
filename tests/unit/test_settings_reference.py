"""The reference of settings, the example file and the code name the same settings."""

from __future__ import annotations

import json
import re

from scim.settings import SETTING_NAMES, Settings
from tests.documents import PROJECT, document

EXAMPLE = PROJECT / "local.settings.json.example"
REFERENCE = document("docs/settings.md")


def test_the_reference_describes_the_settings_of_the_code_in_their_order() -> None:
    assert described_in("Settings of the service") == list(SETTING_NAMES)


def test_the_example_file_has_exactly_the_settings_of_the_reference() -> None:
    documented = described_in("Settings of the Functions host") + described_in("Settings of the service")

    assert list(example()) == documented


def test_the_example_file_is_one_that_the_service_takes() -> None:
    settings = Settings.from_environment(example())

    assert settings.storage.connection_string == "UseDevelopmentStorage=true"
    assert settings.secret_store_file
    assert settings.secret_store_file.is_relative_to(".local")


def test_the_example_file_is_one_that_the_host_takes() -> None:
    whole = json.loads(EXAMPLE.read_text(encoding="utf-8"))

    assert set(whole) == {"IsEncrypted", "Values"}
    assert whole["IsEncrypted"] is False
    assert all(isinstance(value, str) for value in whole["Values"].values())


def test_every_variable_of_ours_that_the_code_reads_is_described() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "scim").rglob("*.py")))
    read = set(re.findall(r'"(SCIM_[A-Z_]+)"', text))

    assert read == {name for name in every_described_name() if name.startswith("SCIM_")}


def test_the_real_file_is_kept_out_of_the_repository() -> None:
    ignored = (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert "local.settings.json" in ignored


def described_in(title: str) -> list[str]:
    """Return the names in the first column of a section's table."""
    return re.findall(r"^\| `(\w+)` \|", REFERENCE.section(title), re.MULTILINE)


def every_described_name() -> list[str]:
    return [name for title in REFERENCE.headings for name in described_in(title)]


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads(EXAMPLE.read_text(encoding="utf-8"))["Values"]
    return values
