"""How the portal presents the application, from its settings; and times as it shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from scim.portal.branding import Branding, read_branding
from scim.portal.times import machine_time, plain_time, time_ago
from scim.settings import PortalSettings, Settings, SettingsError

REQUIRED = {"DataStorage": "UseDevelopmentStorage=true", "SCIM_SECRET_STORE": "file:secrets.json"}
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def portal(**values: str) -> PortalSettings:
    return Settings.from_environment({**REQUIRED, **values}).portal


def test_without_settings_there_is_a_name_and_nothing_else() -> None:
    assert portal() == PortalSettings("Directory sync", "", None, ())


def test_name_support_logo_and_hosts_are_read() -> None:
    settings = portal(
        SCIM_PORTAL_NAME="Hero",
        SCIM_PORTAL_SUPPORT="help@example.com",
        SCIM_PORTAL_LOGO="logo.png",
        SCIM_PORTAL_RETURN_HOSTS="app.example.com, App.Example.org",
    )

    assert settings == PortalSettings(
        "Hero", "help@example.com", Path("logo.png"), ("app.example.com", "app.example.org")
    )
    assert Branding("Hero", "help@example.com").support_address == "mailto:help@example.com"
    assert Branding("Hero", "https://example.com/help").support_address == "https://example.com/help"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCIM_PORTAL_NAME", "x" * 61),
        ("SCIM_PORTAL_SUPPORT", "javascript:alert(1)"),
        ("SCIM_PORTAL_SUPPORT", "http://example.com"),
        ("SCIM_PORTAL_RETURN_HOSTS", "https://app.example.com/"),
    ],
)
def test_a_malformed_setting_is_refused_by_name_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: ") as refused:
        portal(**{name: value})

    assert value not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"0" * 32 * 1024])
def test_a_logo_must_be_a_small_png(tmp_path: Path, content: bytes | None) -> None:
    logo = tmp_path / "logo.png"
    if content is not None:
        logo.write_bytes(content)

    with pytest.raises(SettingsError, match=r"^SCIM_PORTAL_LOGO: "):
        read_branding(PortalSettings(logo=logo))


def test_times_are_told_in_utc_and_in_the_largest_unit_that_fits() -> None:
    moment = datetime(2026, 11, 24, 14, 5, 30, 999, tzinfo=timezone(timedelta(hours=2)))

    assert machine_time(moment) == "2026-11-24T12:05:30Z"
    assert plain_time(moment) == "24 Nov 2026, 12:05 UTC"
    assert [time_ago(NOW - timedelta(seconds=each), NOW) for each in (0, 59, 60, 7199, 7200, 90_000)] == [
        *["just now"] * 2,
        "1 minute ago",
        "1 hour ago",
        "2 hours ago",
        "1 day ago",
    ]
    assert time_ago(NOW + timedelta(days=3), NOW) == "in 3 days"
