"""An identity that hands out the same token for as long as it lives, whether it is accepted or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo

from scim.adapters.azure_identity import AppIdentity


@dataclass(slots=True)
class StaleIdentities:
    """Makes credentials that cache their token as azure-identity does: token1 of the first, token2 of the next."""

    closed: int = 0
    made: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(self) -> StaleCredential:
        self.made += 1
        return StaleCredential(self, f"token{next(self._numbers)}")

    def identity(self) -> AppIdentity:
        """Return the app's identity, which makes such credentials."""
        return AppIdentity(self)


@dataclass(slots=True)
class StaleCredential:
    """One credential with its cached token."""

    maker: StaleIdentities
    token: str

    async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time() + 3600))

    async def get_token_info(self, *_scopes: str, **_: Any) -> AccessTokenInfo:
        return AccessTokenInfo(self.token, int(time.time() + 3600))

    async def close(self) -> None:
        self.maker.closed += 1
