"""The guide's data file: every provider's steps in the agreed order, complete, and fit to be filled in."""

from __future__ import annotations

import re
from datetime import date
from typing import get_args

import pytest

from scim.directories.activity import Signal
from scim.directories.directory import Provider
from scim.portal.custom_attributes import check_source, custom_urns
from scim.portal.guide import STAGES, ProviderGuide, Run, Step, filled_in, guide

VALUES = {"tenant_url": "https://scim.example.com/scim/v2/dir_1", "application": "Acme", "custom_urn": "urn:x"}
APP_ID = "0123456789abcdef0123456789abcdef"
every_provider = pytest.mark.parametrize("provider", guide().providers, ids=lambda each: each.id)


def texts(step: Step) -> list[str]:
    drawings = [drawing for drawing in (step.sketch, step.older_sketch) if drawing]
    drawn = [value for drawing in drawings for _, value in drawing.fields]
    return [*step.actions, *step.older, *step.notes, step.expect, *drawn]


def test_every_provider_has_a_guide() -> None:
    assert [each.id for each in guide().providers] == list(get_args(Provider))


@every_provider
def test_a_guide_goes_from_endpoint_and_token_to_users_and_groups(provider: ProviderGuide) -> None:
    stages = [step.stage for step in provider.steps]

    assert list(dict.fromkeys(stages)) == list(STAGES)
    assert stages == sorted(stages, key=STAGES.index)
    assert len({step.id for step in provider.steps}) == len(provider.steps)


@every_provider
def test_a_step_is_short_and_says_what_to_expect(provider: ProviderGuide) -> None:
    assert isinstance(provider.checked_on, date)
    for step in provider.steps:
        assert 1 <= len(step.actions) <= 6
        assert all(len(text) < 300 and text.endswith((".", "?")) for text in (*step.actions, *step.older, step.expect))


@every_provider
def test_every_value_of_a_text_is_known_and_none_is_read_as_markup(provider: ProviderGuide) -> None:
    hostile = dict.fromkeys(VALUES, "**x** `y` {z} <b>")
    for text in (text for step in provider.steps for text in texts(step)):
        plain = "".join(run.text for run in filled_in(text, VALUES))
        assert not re.search(r"[{}`]|\*\*", plain)
        filled = filled_in(text, hostile)
        assert len(filled) == len(filled_in(text, VALUES))


@every_provider
def test_every_step_that_can_be_seen_belongs_to_a_step_of_the_guide_and_says_what_to_do(
    provider: ProviderGuide,
) -> None:
    steps, known = {step.id for step in provider.steps}, get_args(Signal)

    assert {signal.step for signal in provider.signals} <= steps
    assert [signal.id for signal in provider.signals] == sorted((each.id for each in provider.signals), key=known.index)
    assert all(len(signal.waiting) < 200 and signal.waiting.endswith(".") for signal in provider.signals)
    assert all(filled_in(signal.waiting, {}) for signal in provider.signals)


def test_entra_is_told_the_endpoint_the_token_and_the_custom_attribute_under_its_own_names() -> None:
    steps = {step.id: " ".join(texts(step)) for step in guide().of("entra_id").steps}

    assert "**Tenant URL**" in steps["connection"]
    assert "without the word Bearer" in steps["connection"]
    assert "**Provisioning Mode** to **Automatic**" in steps["connection"]
    assert all(words in steps["custom_attributes"] for words in ("**Show advanced options**", "`{custom_urn}`"))
    assert "40 minutes" in steps["custom_attributes"]
    assert "**Provisioning > Provision on demand**" in steps["on_demand"]


def test_a_text_becomes_runs_of_one_style_each() -> None:
    assert filled_in("Paste `{custom_urn}` into **Name**.", VALUES) == [
        Run("plain", "Paste "),
        Run("code", "urn:x"),
        Run("plain", " into "),
        Run("strong", "Name"),
        Run("plain", "."),
    ]


def test_the_urn_to_paste_is_that_of_a_mapping_or_an_example_of_the_applications_name() -> None:
    assert custom_urns([], "Hero & co. SaaS") == ["urn:ietf:params:scim:schemas:extension:HeroCoSaaS:2.0:User:costCode"]
    assert custom_urns([], "…") == ["urn:ietf:params:scim:schemas:extension:Application:2.0:User:costCode"]


@pytest.mark.parametrize(
    ("text", "right", "suggestion"),
    [
        (f"extension_{APP_ID}_costCode", True, ""),
        (f"  extension_{APP_ID}_cost_code ", True, ""),
        ("extension_01234567-89ab-cdef-0123-456789abcdef_costCode", False, f"extension_{APP_ID}_costCode"),
        (f"extension_{APP_ID.upper()}_costCode", False, f"extension_{APP_ID}_costCode"),
        (f"Extension_{APP_ID}_costCode", False, f"extension_{APP_ID}_costCode"),
        (f"extension_{APP_ID[:-1]}_costCode", False, ""),
        (f"extension_{APP_ID}", False, ""),
        (f"extension_{APP_ID}_", False, ""),
        (f"extension_{APP_ID}_cöst", False, ""),
        ("costCode", False, ""),
        ("", False, ""),
    ],
)
def test_the_name_of_a_source_attribute_is_checked(text: str, suggestion: str, *, right: bool) -> None:
    check = check_source(text)

    assert (check.right, check.suggestion) == (right, suggestion)
    assert check.sentence.endswith(".")
