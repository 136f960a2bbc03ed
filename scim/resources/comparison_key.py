"""The form in which text is compared, hashed and kept unique."""

from __future__ import annotations

from hashlib import blake2b
from unicodedata import normalize


def comparison_key(text: str, *, case_exact: bool = False) -> str:
    """Return what comparisons use in place of a text; applying it twice changes nothing.

    ``NFC(casefold(NFC(text)))``, so that ß = SS, a ligature is its letters, and composed = decomposed; only NFC where
    the attribute is caseExact (RFC 7643 §2.2, RFC 7644 §3.4.2.2). ASCII, nearly all there is, needs no normalisation.
    """
    if text.isascii():
        return text if case_exact else text.lower()
    composed = normalize("NFC", text)
    return composed if case_exact else normalize("NFC", composed.casefold())


def comparison_hash(text: str, *, case_exact: bool = False) -> str:
    """Return 40 hex digits standing for a text in row keys; equal for texts that compare equal."""
    key = comparison_key(text, case_exact=case_exact)
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
