"""What became of a request, for those who are told of it after its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scim.directories.activity import Signal
from scim.directories.directory import Directory
from scim.resources.directory_schemas import DirectorySchemas
from scim.resources.interfaces import ResourceStore
from scim.resources.provisioning_log import Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request to a known directory, or an operation of a bulk request, and how it ended."""

    directory: Directory
    method: str
    operation: str
    resource_type: str
    status: int
    path: Sequence[str] = ()
    """The path below the Tenant URL."""
    error: Exception | None = None
    findings: Sequence[Finding] = ()
    """What is noteworthy although it succeeded."""
    signals: Mapping[Signal, str] = field(default_factory=dict)
    """The steps of a directory's setup that it shows, each with the id of its user or group, empty for none."""
    changed: bool = False
    """Whether it changed a user, a group or a membership."""
    is_part: bool = False
    """Whether it is an operation of a bulk request."""
    schemas: DirectorySchemas | None = None
    """None when it was refused before they were needed."""
    store: ResourceStore | None = None


@dataclass(slots=True)
class RequestNotes:
    """What is told of a request while it is answered."""

    findings: list[Finding] = field(default_factory=list)
    """What is noteworthy, should it succeed."""
    signals: dict[Signal, str] = field(default_factory=dict)
    changed: bool = False
    parts: list[Outcome] = field(default_factory=list)
    """Of a bulk request: how its operations ended."""

    def change(self, signal: Signal | None = None, resource_id: str = "") -> None:
        """Note that something was changed, and the step of the setup that this shows."""
        self.changed = True
        if signal is not None:
            self.signals[signal] = resource_id

    def take_part(self, outcome: Outcome) -> None:
        """Note how an operation of a bulk request ended."""
        self.parts.append(outcome)
        self.changed = self.changed or outcome.changed
        self.signals.update(outcome.signals)


Observer = Callable[[Outcome], None]
"""Is told of every outcome; must neither wait nor fail."""
