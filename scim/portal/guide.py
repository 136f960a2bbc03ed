"""The guide's texts, read from one data file: which providers there are, and the steps of each in their order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from scim.directories.activity import Signal
from scim.directories.directory import Provider

GUIDE_FILE = Path(__file__).parent / "guide.toml"

Stage = Literal[
    "endpoint_and_token",
    "application",
    "provisioning_settings",
    "custom_attributes",
    "provision_on_demand",
    "users_and_groups",
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""What every guide goes through, in this order."""

_MARKED = re.compile(r"\*\*(?P<strong>[^*]+)\*\*|`(?P<code>[^`]+)`")


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a sentence, all in one style: a name on the provider's screen is strong, what is typed is code."""

    style: Literal["plain", "strong", "code"]
    text: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """A drawing of a screen of the provider: its title, its fields with what they hold, its button."""

    title: str
    fields: Sequence[tuple[str, str]] = ()
    button: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a guide."""

    id: str
    stage: Stage
    title: str
    actions: Sequence[str]
    expect: str
    """What happens when it was done right."""
    older: Sequence[str] = ()
    """The actions on the provider's older screens, where those differ."""
    notes: Sequence[str] = ()
    sketch: Sketch | None = None
    older_sketch: Sketch | None = None


@dataclass(frozen=True, slots=True)
class SignalGuide:
    """A step of the setup that the provider's requests show."""

    id: Signal
    step: str
    """The step of the guide that it belongs to."""
    title: str
    waiting: str
    """What to do while it was not seen."""


@dataclass(frozen=True, slots=True)
class ProviderGuide:
    """A provider that can be connected, and how."""

    id: Provider
    name: str
    summary: str
    checked_on: date
    """When its names were compared with what the provider documents."""
    endpoint_label: str
    """What the provider calls the endpoint."""
    token_label: str
    steps: Sequence[Step]
    signals: Sequence[SignalGuide]
    older_name: str = ""
    """What the older screens are called; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Guide:
    """All of the data file."""

    providers: Sequence[ProviderGuide] = field(default_factory=tuple)

    def of(self, provider: Provider) -> ProviderGuide:
        """Return the guide of a provider."""
        return next(each for each in self.providers if each.id == provider)


@cache
def guide() -> Guide:
    """Return the guide, read once per process."""
    form = tomllib.loads(GUIDE_FILE.read_text(encoding="utf-8"))
    return Guide(tuple(_provider(each) for each in form["providers"]))


def filled_in(text: str, values: Mapping[str, str]) -> list[Run]:
    """Return a text as runs, with ``{name}`` replaced by a directory's value; a value is never read as markup."""
    runs: list[Run] = []
    position = 0
    for match in _MARKED.finditer(text):
        runs.append(Run("plain", text[position : match.start()]))
        runs.append(Run("strong", match["strong"]) if match["strong"] else Run("code", match["code"]))
        position = match.end()
    runs.append(Run("plain", text[position:]))
    return [Run(run.style, _with_values(run.text, values)) for run in runs if run.text]


def _with_values(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def _provider(form: Mapping[str, Any]) -> ProviderGuide:
    steps, signals = tuple(map(_step, form["steps"])), tuple(SignalGuide(**each) for each in form["signals"])
    return ProviderGuide(**{**form, "steps": steps, "signals": signals})


def _step(form: Mapping[str, Any]) -> Step:
    sketches = {name: _sketch(form[name]) for name in ("sketch", "older_sketch") if name in form}
    return Step(**{**form, **sketches})


def _sketch(form: Mapping[str, Any]) -> Sketch:
    fields = tuple((label, value) for label, value in form.get("fields", ()))
    return Sketch(form["title"], fields, form.get("button", ""))
