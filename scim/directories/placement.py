"""In which data account a new directory is placed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

DEFAULT_DATA_ACCOUNT = "default"
"""The name of the first data account, which also holds the rows of organizations and directories."""


def place(directory_id: str, accounts: Sequence[str]) -> str:
    """Return which of these accounts holds a new directory: the same whenever it is asked, and each as often.

    It counts for a creation only: from then on the directory's row says where the directory is.
    """
    digest = hashlib.blake2b(directory_id.encode(), digest_size=8).digest()
    return accounts[int.from_bytes(digest) % len(accounts)]
