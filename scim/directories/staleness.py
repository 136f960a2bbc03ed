"""How long a process may act by what it read of a directory, and what waits until none does. Pure.

What a cache may serve and what a margin waits for stand side by side here, so that neither grows past the other.
"""

from __future__ import annotations

from datetime import timedelta

FRESH_SECONDS = 30.0
"""A change of a directory acts everywhere within this time."""
STALE_SECONDS = 300.0
"""A directory read no longer ago than this serves on while the store does not answer."""
WAITING_SECONDS = 10.0
"""A request that was let in waits at most so long before it begins."""
REQUEST_SECONDS = 20.0
"""Then its storage calls take no longer than this together, or those of one operation of a bulk request."""
BULK_SECONDS = 45.0
"""A bulk request begins no operation later: Entra ID gives up after 60 seconds."""
LATE_SECONDS = 30.0
"""Storage may carry out an attempt so long after its client gave it up."""

LONGEST_STALE = timedelta(seconds=STALE_SECONDS + WAITING_SECONDS + BULK_SECONDS + REQUEST_SECONDS)
"""After a change no request goes by what was there before for longer than this."""
MARGIN = LONGEST_STALE + timedelta(seconds=LATE_SECONDS)
"""By then nothing is written any more by what was there before a change. By storage's clock: machines' differ."""
