"""The guide for the application's developer: its blocks of Python, in order, against a real local host."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import pytest

from scim.local_host.started_host import started_host
from tests.documents import document

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def test_what_the_guide_shows_is_what_its_code_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = BLOCK.findall(document("docs/developer-guide.md").text)
    shared: dict[str, Any] = {}
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        monkeypatch.setenv("API_URL", ready["api_url"])
        monkeypatch.setenv("API_KEY", ready["api_key"])
        for (language, code), (following, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
            if language == "python":
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(code, shared)
                assert printed.getvalue() == (shown if following == "text" else ""), code
