"""Which browser a User-Agent is told as: few texts of ours, whatever is sent."""

from __future__ import annotations

import pytest

from scim.portal.browser_family import browser_family

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0) {_WEBKIT} Chrome/131.0 Safari/537.36", "Chrome on Windows"),
        (
            f"Mozilla/5.0 (Windows NT 10.0) {_WEBKIT} Chrome/131.0 Safari/537.36 Edg/131.0",
            "Edge on Windows",
        ),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT} Chrome/131.0 Safari/537.36 OPR/116.0", "Opera on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on macOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1.15", "Safari on macOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Version/18.1 Mobile/15E Safari/604.1",
            "Safari on iOS",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) CriOS/131.0 Mobile Safari/604.1", "Chrome on iOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/131.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"Mozilla/5.0 (Linux; Android 14) {_WEBKIT} SamsungBrowser/27.0 Chrome/125.0", "Samsung Internet on Android"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/131.0 Safari/537.36", "Chrome on ChromeOS"),
        ("curl/8.5.0", "Another browser"),
        ("", "Another browser"),
        ("<script>alert(1)</script> Windows", "Another browser on Windows"),
        ("x" * 600 + "Firefox/133.0 Windows", "Another browser"),
        ("\u202e\x00" * 5000, "Another browser"),
    ],
)
def test_a_browser_is_told_by_its_family_and_system(user_agent: str, family: str) -> None:
    assert browser_family(user_agent) == family
