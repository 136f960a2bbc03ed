"""The tokens of a directory: what is known of them, a new one beside the old, and the end of one."""

from __future__ import annotations

from datetime import timedelta

from scim.directories.errors import SecretStoreError
from scim.directories.token import NewToken, Token
from scim.directories.token_changes import DEFAULT_OVERLAP
from scim.portal.guide import guide
from scim.portal.problems import foreign_form, not_found
from scim.portal.proofs import ProofPurpose
from scim.portal.rendering import page, see_other
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

OVERLAPS = {"0": "not at all", "1": "1 day", "7": "7 days", "30": "30 days"}
"""How long a replaced token may stay valid, by its days."""
IN_USE = timedelta(days=7)
"""A token that was used within this time is taken for one that the provider uses."""
_PURPOSE: ProofPurpose = "portal: id of a rotation"


async def show_tokens(visit: Visit) -> WebResponse:
    """Return the tokens, newest first. No storage request beside those of admission."""
    tokens = visit.standing.tokens
    rotation = visit.services.new_id()
    try:
        proof = await visit.proof(_PURPOSE, f"{visit.directory.id} {rotation}")
    except SecretStoreError:
        proof = ""  # without the secret store tokens can be looked at and revoked, and none can be made
    return page(
        visit,
        "tokens.html",
        tokens=tokens,
        provider=guide().of(visit.directory.provider),
        overlaps=OVERLAPS,
        default_overlap=str(DEFAULT_OVERLAP.days),
        rotation=rotation,
        proof=proof,
        valid=[token for token in tokens if token.state in ("current", "previous")],
    )


async def rotate(visit: Visit) -> WebResponse:
    """Return a new token, shown in this answer; the form names the rotation, so sending it twice makes one token."""
    rotation, days = visit.form.get("rotation", ""), visit.form.get("overlap", "")
    await visit.require_proof(_PURPOSE, f"{visit.directory.id} {rotation}")
    if days not in OVERLAPS:
        raise foreign_form()
    made = await visit.services.tokens.rotate(
        visit.directory.id, overlap=timedelta(days=int(days)), rotation_id=rotation
    )
    return page(
        visit,
        "rotated.html",
        provider=guide().of(visit.directory.provider),
        made=made,
        token="" if made.repeated else made.token,
        previous=_previous(made),
        status=200 if made.repeated else 201,
    )


def _previous(made: NewToken) -> Token | None:
    """Return the token whose place the new one took, where it is still valid."""
    others = [each for each in made.directory.tokens if each.state == "active" and each.ends_at is not None]
    if not others:
        return None
    last = others[-1]
    return Token(last.version, "previous", last.created, last.expires_at, last.ends_at, None, last.last_four, None)


async def revoke(visit: Visit) -> WebResponse:
    """Return to the tokens with one revoked; one that is in use, or the last, is asked about first."""
    version = visit.path["version"]
    tokens = await visit.services.tokens.tokens_of(visit.directory)
    valid = [token for token in tokens if token.state in ("current", "previous")]
    token = next((each for each in valid if each.version == version), None)
    if token is None:
        raise not_found()
    in_use = token.last_used is not None and visit.services.now() - token.last_used < IN_USE
    if (in_use or len(valid) == 1) and visit.form.get("confirmed") != "yes":
        return page(visit, "revoke.html", token=token, in_use=in_use, last=len(valid) == 1)
    await visit.services.tokens.revoke(visit.directory.id, version)
    return see_other(visit, f"/directories/{visit.directory.id}/tokens")


_ALL = "/directories/{directory_id}/tokens"
PAGES = (
    Page("tokens", "GET", _ALL, show_tokens),
    Page("rotate", "POST", _ALL, rotate),
    Page("revoke_token", "POST", f"{_ALL}/{{version}}/revoke", revoke),
)
