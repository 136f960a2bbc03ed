"""Proofs of ids that are not made yet: that this service gave one to an organization, within the last hour.

What exists is looked for and compared with the session, and needs no proof; an id that does not exist yet has no row to
look at. The proof is signed with a key of the service, so that nobody who visits can make one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from scim.directories.service_key_store import ServiceKeys
from scim.portal.problems import form_too_old, not_found

LIFE = timedelta(hours=1)
EARLY = timedelta(minutes=5)
"""How far the clock of the process that gave a proof may be ahead of ours."""
ProofPurpose = Literal["portal: id of a new directory", "portal: id of a rotation"]

_PROOF = re.compile(r"([1-9]\d{0,10})\.(\d{1,9}\.[0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proofs:
    """Gives proofs and requires them."""

    keys: ServiceKeys
    now: Callable[[], datetime]

    async def give(self, purpose: ProofPurpose, organization_id: str, subject: str) -> str:
        """Return what proves for an hour that an id was given to an organization: the time, a dot, and a signature.

        :raises SecretStoreError: When there is no key to sign with.
        """
        issued = int(self.now().timestamp())
        return f"{issued}.{await self.keys.sign(purpose, _text(organization_id, subject, issued))}"

    async def require(self, purpose: ProofPurpose, organization_id: str, subject: str, proof: str) -> None:
        """Refuse an id that was not given to an organization, or too long ago.

        :raises PortalProblem: 404 as for what does not exist, or 410 when the page has to be opened again.
        :raises SecretStoreError: When there is no key to check by.
        """
        match = _PROOF.fullmatch(proof)
        if match is None:
            raise not_found()
        issued = int(match[1])
        if not await self.keys.is_signature(purpose, _text(organization_id, subject, issued), match[2]):
            raise not_found()
        age = self.now() - datetime.fromtimestamp(issued, UTC)
        if not -EARLY <= age <= LIFE:
            raise form_too_old()


def _text(organization_id: str, subject: str, issued: int) -> str:
    """Return what is signed, so that no two claims have one text."""
    return json.dumps([organization_id, subject, issued])
