"""Who makes a change, and what was changed: surfaces know it, and it is asked for where changes are made.

A surface opens :func:`acting` once it knows who acts. What is done later, by another task or process, is told of with
the actor that the row keeps.
"""

from __future__ import annotations

import getpass
import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

ActorType = Literal["api_key", "portal_session", "operator", "provider", "service"]

_log = logging.getLogger("scim.changes")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change."""

    type: ActorType
    id: str
    """Of the key or the session; of an operator the tool, of a provider its directory, of the service the work."""
    label: str | None = None
    """A key's name, or whom a link says it is for. It may name a person, so no log line has it."""
    link_id: str | None = None
    """Of a session: the link to the portal that it was made with."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that events and rows have."""
        return {"type": self.type, "id": self.id, "label": self.label, "link_id": self.link_id}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | None) -> Actor:
        """Return the actor of its form; of a row without one, or with a type of a newer version, what is known."""
        if not form:
            return UNKNOWN
        known = form.get("type") in get_args(ActorType)
        return cls(form["type"] if known else "service", form.get("id", ""), form.get("label"), form.get("link_id"))

    def facts(self) -> dict[str, str]:
        """Return what a log line says of it: no label."""
        facts = {"actor_type": self.type, "actor_id": self.id}
        return {**facts, "link_id": self.link_id} if self.link_id else facts


def operator(tool: str) -> Actor:
    """Return who runs a command line: whoever is logged in where it runs."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        name = None
    return Actor("operator", tool, name)


UNKNOWN = Actor("service", "unknown")
"""Of changes that were made before rows said by whom."""
EXPIRY = Actor("service", "expiry")
SWEEP = Actor("service", "sweep")
RELAY = Actor("service", "relay")
RETENTION = Actor("service", "retention")
WATCHER = Actor("service", "watcher")
VAULT_OPERATOR = Actor("operator", "secret_store")
"""Whoever set, disabled or deleted a token in the secret store: the store's own log says who."""


@dataclass(slots=True)
class Acting:
    """Who acts, and what was changed so far."""

    actor: Actor | None
    """None until somebody is let in."""
    has_line: bool = False
    """Whether a line about the request says what was changed; otherwise each change has a line of its own."""
    changes: list[str] = field(default_factory=list)
    """Type of the event and id of the object, such as ``token.revoked 5f0c…``; never a name."""

    def facts(self) -> dict[str, str]:
        """Return what the line about the request says of it."""
        facts = self.actor.facts() if self.actor else {}
        return {**facts, "changes": ", ".join(self.changes)} if self.changes else facts


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def acting(actor: Actor | None = None, *, has_line: bool = False) -> Block:
    """Let somebody be who makes the changes of the block; :func:`become` says later whom a surface has let in."""
    return Block(Acting(actor, has_line))


class Block:
    """A block in which somebody acts: every request has one, so it is no generator."""

    __slots__ = ("_now", "_token")

    def __init__(self, now: Acting) -> None:
        self._now = now
        self._token: Token[Acting | None] | None = None

    def __enter__(self) -> Acting:
        self._token = _acting.set(self._now)
        return self._now

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _acting.reset(self._token)


def become(actor: Actor) -> None:
    """Let somebody who was just let in be who makes the changes of this request."""
    now = _acting.get()
    if now is not None:
        now.actor = actor


def current_actor() -> Actor:
    """Return who makes a change now; a change that nobody makes is a fault of ours, which a line says."""
    now = _acting.get()
    if now is None or now.actor is None:
        _log.error("a change is made and no surface said by whom", stack_info=True)
        return UNKNOWN
    return now.actor


def note_change(kind: str, object_id: str, actor: Actor, **about: str) -> None:
    """Say in the log that something was changed: in the line about the request, or in one of its own.

    What another left untold, and this request tells, is no change of whom its line names.

    :param kind: The type of the event.
    :param about: Further ids, such as ``directory_id``.
    """
    now, text = _acting.get(), f"{kind} {object_id}"
    if now is not None and now.has_line and (now.actor is None or now.actor.facts() == actor.facts()):
        if text not in now.changes:
            now.changes.append(text)
        return
    line = {"event": "change", "changes": text, **actor.facts(), **about}
    _log.info(json.dumps({name: value for name, value in line.items() if value}, separators=(",", ":")))
