"""Whether the feed's numbers follow each other up to the head's."""

from __future__ import annotations

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.consistency.walk import DirectoryWalk
from scim.adapters.tables.partition import Partition


async def feed_violations(partition: Partition, walk: DirectoryWalk, number: int | None) -> list[Violation]:
    """Return the gaps of the feed that retention does not explain, what it tells twice, and whether it passes the head.

    :param number: The head's number before the walk, or None when it cannot be read.
    """
    gaps = list(walk.gaps)
    if number is not None and 0 < walk.last_number < number:
        gaps.append((walk.last_number + 1, number))
    violations = [gap for first, last in gaps for gap in await _gap(partition, first, last)]
    for key, earlier in walk.repeated.found:
        sentence = f"The feed tells an operation again that number {int(keys.last_id(earlier))} told."
        violations.append(Violation("told_twice", key, sentence))
    head = await partition.read(keys.HEAD)
    current = head.values.get("number", 0) if head else 0
    if isinstance(current, int) and current < walk.last_number:
        sentence = f"The feed has number {walk.last_number}, the head knows of {current}: nothing can be relayed."
        violations.append(Violation("feed_beyond_head", keys.HEAD, sentence))
    return violations


async def _gap(partition: Partition, first: int, last: int) -> list[Violation]:
    # What is older than the retention is deleted from the front, perhaps while the feed was read.
    oldest = await partition.first_rows((keys.FEED_FIRST, keys.FEED_END), 1)
    if not oldest.rows or last < int(keys.last_id(oldest.rows[0].key)):
        return []
    if await partition.read(keys.feed(first)) is not None:
        return []
    return [Violation("feed_gap", keys.feed(first), f"The feed lacks the numbers {first} to {last}.")]
