"""The provisioning surface alone, in this process: without HTTP and over a table that answers at once."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from benchmarks.instant_table import InstantAccount
from benchmarks.payloads import added, change_of_user, matching, new_group, new_user, removed
from scim.composition import Application
from scim.directories.actor import acting, operator
from scim.settings import Settings, StorageSettings
from scim.web import WebRequest, WebResponse

OPERATIONS = {
    "filter-miss": "filter by userName, no match",
    "post": "POST",
    "get": "GET",
    "patch": "PATCH, 3 replace operations",
    "hit-username": "filter by userName, match",
    "hit-externalid": "filter by externalId, match",
    "group-add": "add 1 member",
    "group-remove": "remove 1 member",
    "list": "list of 100 users",
}
_LIST = 100


class _NoRelay:
    """Takes the place of what asks for the relay, which is not measured here."""

    def ask(self, directory_id: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Surface:
    """The surface of a directory, and who calls it."""

    application: Application
    path: str
    headers: Mapping[str, str]

    async def time(self, method: str, paths: Sequence[str], bodies: Sequence[bytes]) -> tuple[float, list[WebResponse]]:
        """Return the CPU time of each request in microseconds, and the answers."""
        requests = [self._request(method, path, body) for path, body in zip(paths, bodies, strict=True)]
        answer = self.application.provisioning.answer
        begun = time.process_time()
        answers = [await answer(request) for request in requests]
        spent = time.process_time() - begun
        if any(each.status >= 300 for each in answers):  # noqa: PLR2004 - none of success
            raise RuntimeError(f"{method} {paths[0]}: {next(each.body for each in answers if each.status >= 300)!r}")  # noqa: PLR2004
        return spent / len(requests) * 1_000_000, answers

    def _request(self, method: str, path: str, body: bytes) -> WebRequest:
        url = urlsplit(path)
        return WebRequest(
            method,
            self.path + url.path,
            dict(parse_qsl(url.query, keep_blank_values=True)),
            self.headers,
            body,
            "http://localhost",
        )


async def surface_microseconds(users: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU time of each operation by its label, by round."""
    measured: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            surface = await open_surface(Path(folder))
            for label, spent in (await _round(surface, [f"u{number}x{index:05d}" for index in range(users)])).items():
                measured[label].append(spent)
    return dict(measured)


async def open_surface(folder: Path) -> Surface:
    """Return the surface of a new directory, met once."""
    settings = Settings(StorageSettings("UseDevelopmentStorage=true"), folder / "secrets.json")
    application = Application(settings, account=InstantAccount(), relay_requests=_NoRelay())
    with acting(operator("benchmarks")):
        organization = await application.directories.create_organization("Organization")
        new = await application.directories.create_directory(organization.id, name="Directory", provider="entra_id")
    headers = {"authorization": f"Bearer {new.token}", "content-type": "application/scim+json", "x-request-id": "b-1"}
    surface = Surface(application, f"/scim/v2/{new.directory.id}", headers)
    await surface.time("GET", ["/Users?count=1"], [b""])
    return surface


async def _round(surface: Surface, names: Sequence[str]) -> dict[str, float]:
    spent: dict[str, float] = {}
    none = [b""] * len(names)
    by_name = [matching("userName", f"{name}@fabrikam.example") for name in names]
    by_external_id = [matching("externalId", name) for name in names]
    spent["filter-miss"], _ = await surface.time("GET", by_name, none)
    spent["post"], created = await surface.time("POST", ["/Users"] * len(names), [new_user(name) for name in names])
    ids = _ids(created)
    paths = [f"/Users/{each}" for each in ids]
    spent["get"], _ = await surface.time("GET", paths, none)
    spent["patch"], _ = await surface.time("PATCH", paths, [change_of_user(name) for name in names])
    in_capitals = [matching("userName", f"{name}@fabrikam.example".upper()) for name in names]
    spent["hit-username"], _ = await surface.time("GET", in_capitals, none)
    spent["hit-externalid"], _ = await surface.time("GET", by_external_id, none)
    return spent | await _group_round(surface, ids) | await _list_round(surface)


async def _group_round(surface: Surface, ids: Sequence[str]) -> dict[str, float]:
    _, created = await surface.time("POST", ["/Groups"], [new_group("Group")])
    paths = [f"/Groups/{_ids(created)[0]}"] * len(ids)
    add, _ = await surface.time("PATCH", paths, [added([each]) for each in ids])
    remove, _ = await surface.time("PATCH", paths, [removed([each]) for each in ids])
    return {"group-add": add, "group-remove": remove}


async def _list_round(surface: Surface) -> dict[str, float]:
    calls = 10
    spent, _ = await surface.time("GET", [f"/Users?cursor=&count={_LIST}"] * calls, [b""] * calls)
    return {"list": spent}


def _ids(answers: Sequence[WebResponse]) -> list[str]:
    return [json.loads(answer.body)["id"] for answer in answers]
