"""How far a change of attribute mappings has come with the users that were there before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scim.directories.actor import UNKNOWN, Actor
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.staleness import MARGIN

SETTLING = MARGIN
"""By then every process writes lookup rows by the new mappings."""
END = "~"
"""Behind every id."""


@dataclass(frozen=True, slots=True)
class MappingBasis:
    """Which mappings users were told of last: those of a revision, up to an id."""

    revision: int
    until: str


@dataclass(frozen=True, slots=True)
class MappingJob:
    """A change of mappings on its way through the users, in the order of their ids."""

    revision: int
    """Of the mappings that it brings."""
    started: datetime
    not_before: datetime
    """Later than the start when it waits for all processes; by the clock of the machine that changed the mappings."""
    bases: tuple[MappingBasis, ...]
    """In the order of their ids; more than one when mappings changed before an earlier job was at its end."""
    after: str = ""
    """The last user that it has done."""
    examined: int = 0
    updated: int = 0
    actor: Actor = UNKNOWN
    """Who changed the mappings."""

    @property
    def is_to_settle(self) -> bool:
        """Whether it begins only when every process goes by the new mappings."""
        return self.not_before > self.started and not self.after

    def basis_of(self, user_id: str) -> int:
        """Return the revision of the mappings that a user was told of last, by its id."""
        return next(basis.revision for basis in self.bases if user_id <= basis.until)

    def advanced(self, after: str, examined: int, updated: int) -> MappingJob:
        """Return the job with more users done; itself when another machine has done them."""
        if after <= self.after:
            return self
        return replace(self, after=after, examined=self.examined + examined, updated=self.updated + updated)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the directory's row holds."""
        return {
            "revision": self.revision,
            "started": self.started.isoformat(),
            "not_before": self.not_before.isoformat(),
            "bases": [[basis.revision, basis.until] for basis in self.bases],
            "after": self.after,
            "examined": self.examined,
            "updated": self.updated,
            "actor": self.actor.to_json(),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> MappingJob:
        """Return the job of its JSON form."""
        return cls(
            revision=form["revision"],
            started=datetime.fromisoformat(form["started"]),
            not_before=datetime.fromisoformat(form["not_before"]),
            bases=tuple(MappingBasis(revision, until) for revision, until in form["bases"]),
            after=form["after"],
            examined=form["examined"],
            updated=form["updated"],
            actor=Actor.from_json(form.get("actor")),
        )


def next_job(
    job: MappingJob | None,
    revision: int,
    old: tuple[AttributeMapping, ...],
    new: tuple[AttributeMapping, ...],
    now: datetime,
) -> MappingJob | None:
    """Return the job that brings new mappings to all users; the one that is under way when they make no difference.

    :param revision: Of the old mappings.
    """
    rows_differ = matching_paths(old) != matching_paths(new)
    if not rows_differ and _effects(old) == _effects(new):
        return job
    bases: tuple[MappingBasis, ...] = (MappingBasis(revision, END),)
    if job is not None:
        # The users behind the earlier job's place were told of what was there before it.
        bases = (MappingBasis(revision, job.after), *(basis for basis in job.bases if basis.until > job.after))
    settles = rows_differ or (job is not None and job.is_to_settle)
    return MappingJob(revision + 1, now, now + SETTLING if settles else now, bases)


def matching_paths(mappings: tuple[AttributeMapping, ...]) -> frozenset[str]:
    """Return the paths of the mappings by which users are found."""
    return frozenset(mapping.path for mapping in mappings if mapping.matching)


def _effects(mappings: tuple[AttributeMapping, ...]) -> frozenset[tuple[Any, ...]]:
    """Return what profiles depend on."""
    return frozenset((each.resource, each.name, each.path, each.type, each.multi_valued) for each in mappings)
