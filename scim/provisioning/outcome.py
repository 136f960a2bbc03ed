"""What became of a request, for those who are told of it after its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    schemas: DirectorySchemas | None = None
    """None when it was refused before they were needed."""
    store: ResourceStore | None = None


Observer = Callable[[Outcome], None]
"""Is told of every outcome; must neither wait nor fail."""
