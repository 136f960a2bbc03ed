"""Random requests have the same outcome on our service and on scim2-server's in memory, where they agree by design.

Where they do not: our service answers a PATCH of a user with it (Entra may have either), takes a deleted resource out
of the groups it was in, refuses members that do not exist and a group within itself, orders members by id and tells
their type and $ref. What PATCH does otherwise is told in patch_differences.py. The requests made here keep clear of
these, or the reference is helped.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scim.resources.schema import ENTERPRISE_URN, USER_URN
from tests.property.documents import Document
from tests.property.patch_reference import message
from tests.property.patches import user_operations
from tests.property.service_requests import (
    NOBODY,
    broken_bodies,
    conditions,
    group_bodies,
    group_operations,
    mostly,
    orders,
    pages,
    projections,
    searches,
    some_name,
    user_bodies,
)
from tests.property.two_services import Answer, TwoServices
from tests.service import SEARCH_URN, references

MOST = 5
UNKNOWN = {"User": NOBODY, "Group": f"grp_{0:032x}"}
ENDPOINTS = {"User": "/Users", "Group": "/Groups"}


class ServiceEqualsReference(RuleBasedStateMachine):
    """Keeps the ids of what exists, and for each the versions that the two services gave it."""

    def __init__(self) -> None:
        super().__init__()
        self.services = TwoServices()
        self.ids: dict[str, list[str]] = {"User": [], "Group": []}
        self.versions: dict[str, list[tuple[str, str]]] = {}
        self.seen: dict[str, Any] = {}
        self.helped: set[str] = set()
        """The groups that a deletion changed, until the background is done with them: their versions may differ."""

    def teardown(self) -> None:
        self.services.close()

    @initialize(names=st.lists(some_name, min_size=2, max_size=2, unique_by=str.casefold), group=group_bodies)
    def some_resources_exist(self, names: list[str], group: Document) -> None:
        for name in names:
            self.create("User", {"schemas": [USER_URN], "userName": name})
        self.create("Group", group)

    # -- Requests -------------------------------------------------------

    @precondition(lambda self: len(self.ids["User"]) < MOST)
    @rule(body=mostly(user_bodies, broken_bodies), data=st.data())
    def create_a_user(self, body: Any, data: st.DataObject) -> None:
        self.create("User", self.with_manager(body, data))

    @precondition(lambda self: len(self.ids["Group"]) < MOST)
    @rule(body=mostly(group_bodies, broken_bodies), data=st.data())
    def create_a_group(self, body: Any, data: st.DataObject) -> None:
        self.create("Group", self.with_members(body, data))

    @rule(body=mostly(user_bodies, broken_bodies), condition=conditions, shown=projections, data=st.data())
    def replace_a_user(self, body: Any, condition: str | None, shown: Document, data: st.DataObject) -> None:
        self.change("PUT", "User", self.with_manager(body, data), condition=condition, shown=shown, data=data)

    @rule(body=mostly(group_bodies, broken_bodies), condition=conditions, shown=projections, data=st.data())
    def replace_a_group(self, body: Any, condition: str | None, shown: Document, data: st.DataObject) -> None:
        self.change("PUT", "Group", body, condition=condition, shown=shown, data=data)

    @rule(
        operations=st.lists(user_operations, min_size=1, max_size=2),
        condition=conditions,
        shown=projections,
        data=st.data(),
    )
    def patch_a_user(
        self, operations: list[Document], condition: str | None, shown: Document, data: st.DataObject
    ) -> None:
        self.change("PATCH", "User", message(operations), condition=condition, shown=shown, data=data)

    @rule(condition=conditions, shown=projections, data=st.data())
    def patch_a_group(self, condition: str | None, shown: Document, data: st.DataObject) -> None:
        operations = data.draw(st.lists(group_operations(self.ids["User"]), min_size=1, max_size=3))
        self.change("PATCH", "Group", message(operations), condition=condition, shown=shown, data=data)

    @rule(kind=st.sampled_from(["User", "Group"]), condition=conditions, data=st.data())
    def delete(self, kind: str, condition: str | None, data: st.DataObject) -> None:
        resource_id = self.draw_id(kind, data)
        headers = self.headers(resource_id, condition)
        if self.agree(self.services.send("DELETE", f"{ENDPOINTS[kind]}/{resource_id}", headers=headers)).succeeded:
            self.ids[kind].remove(resource_id)
            self.take_out_of_groups(resource_id)

    @rule(kind=st.sampled_from(["User", "Group"]), condition=conditions, shown=projections, data=st.data())
    def read(self, kind: str, condition: str | None, shown: Document, data: st.DataObject) -> None:
        resource_id = self.draw_id(kind, data)
        headers = self.headers(resource_id, condition)
        self.agree(self.services.send("GET", f"{ENDPOINTS[kind]}/{resource_id}", query=shown, headers=headers))

    @rule(asked=searches, page=pages, order=orders, shown=projections)
    def search(self, asked: tuple[str, str | None], page: Document, order: Document, shown: Document) -> None:
        endpoint, text = asked
        query = {**({"filter": text} if text else {}), **page, **order, **shown}
        by_query = self.agree(self.services.send("GET", endpoint, query=query))
        lists = {name: value.split(",") if "ttributes" in name else value for name, value in query.items()}
        numbers = {name: int(value) for name, value in page.items()}
        body = {"schemas": [SEARCH_URN], **lists, **numbers}
        by_body = self.agree(self.services.send("POST", f"{endpoint}/.search", body))
        assert by_body.shown == by_query.shown

    @rule(data=st.data())
    def search_by_reference(self, data: st.DataObject) -> None:
        member, group = self.draw_id("User", data), self.draw_id("Group", data)
        template = data.draw(
            st.sampled_from(['members eq "{m}"', 'id eq "{g}" and members[value eq "{m}"]', 'id eq "{g}"'])
        )
        self.agree(self.services.send("GET", "/Groups", query={"filter": template.format(m=member, g=group)}))

    @rule(asked=searches, count=st.integers(1, 3))
    def walk_by_cursor(self, asked: tuple[str, str | None], count: int) -> None:
        endpoint, text = asked
        query = {"count": str(count), **({"filter": text} if text else {})}
        ours, reference = self.services.send("GET", endpoint, query={**query, "cursor": ""})
        assert ours.status == reference.status
        if ours.succeeded:
            assert self.walked(ours, endpoint, query, 0) == self.walked(reference, endpoint, query, 1)

    @rule()
    def work_in_the_background(self) -> None:
        self.services.relay()
        self.all_resources_are_the_same()
        self.helped.clear()

    # -- Agreement ------------------------------------------------------

    @invariant()
    def all_resources_are_the_same(self) -> None:
        for kind, resource_ids in self.ids.items():
            for resource_id in resource_ids:
                answers = self.services.send("GET", f"{ENDPOINTS[kind]}/{resource_id}")
                assert self.agree(answers).succeeded
                self.note_version(resource_id, answers)

    def agree(self, answers: tuple[Answer, Answer], *, several_faults: bool = False) -> Answer:
        """Assert that both answered alike, and return our answer; of several faults each may name another one."""
        ours, reference = answers
        if several_faults and not ours.succeeded and not reference.succeeded:
            return ours
        assert ours.status == reference.status, (ours, reference)
        assert ours.shown == reference.shown
        return ours

    def note_version(self, resource_id: str, answers: tuple[Answer, Answer]) -> None:
        """Keep the versions, and assert that ours is a new one exactly when something shows that is new."""
        known, new = self.versions[resource_id], (answers[0].etag, answers[1].etag)
        before, self.seen[resource_id] = self.seen.get(resource_id), answers[0].shown
        if resource_id in self.helped:
            self.versions[resource_id] = [new]
            return
        assert before is None or (before != answers[0].shown) == (known[-1][0] != new[0])
        if known[-1][0] != new[0]:
            self.versions[resource_id] = [*known, new]
        else:
            known[-1] = new

    # -- Steps ----------------------------------------------------------

    def create(self, kind: str, body: Any) -> None:
        ours, reference = answers = self.services.send("POST", ENDPOINTS[kind], body)
        self.agree(answers)
        if ours.succeeded:
            resource_id = ours.json["id"]
            self.ids[kind].append(resource_id)
            self.versions[resource_id] = [(ours.etag, reference.etag)]

    def change(
        self, method: str, kind: str, body: Any, *, condition: str | None, shown: Document, data: st.DataObject
    ) -> None:
        resource_id = self.draw_id(kind, data)
        headers = self.headers(resource_id, condition)
        ours, reference = self.services.send(method, f"{ENDPOINTS[kind]}/{resource_id}", body, shown, headers)
        if method == "PATCH" and not shown and ours.succeeded:
            assert (ours.status, reference.status) in ((200, 204), (204, 204))
        else:
            several = condition is not None or resource_id not in self.ids[kind]
            self.agree((ours, reference), several_faults=several)

    def walked(self, first: Answer, endpoint: str, query: Document, index: int) -> list[Any]:
        send = (self.services.send_to_us, self.services.send_to_reference)[index]
        found, page = [*first.shown["Resources"]], first
        while "nextCursor" in page.json:
            page = send("GET", endpoint, query={**query, "cursor": page.json["nextCursor"]})
            found += page.shown["Resources"]
        return found

    def take_out_of_groups(self, resource_id: str) -> None:
        """Do on the reference what a deletion does on our service."""
        for group_id in self.ids["Group"]:
            removal = message([{"op": "remove", "path": f'members[value eq "{resource_id}"]'}])
            before = self.versions[group_id][-1][1]
            if self.services.send_to_reference("PATCH", f"/Groups/{group_id}", removal).etag != before:
                self.helped.add(group_id)

    def draw_id(self, kind: str, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from([*self.ids[kind] * 4, UNKNOWN[kind]])))

    def headers(self, resource_id: str, condition: str | None) -> tuple[Document, Document]:
        """Return the condition of a request in the versions of each service."""
        known = self.versions.get(resource_id, [('W/"0"', 'W/"x"')])
        chosen = known[0] if "stale" in (condition or "") else known[-1]
        name = "If-None-Match" if condition and condition.startswith("not") else "If-Match"
        fixed = {"any": "*", "foreign": 'W/"foreign"'}
        if condition is None:
            return {}, {}
        ours, reference = (fixed.get(condition, etag) for etag in chosen)
        return {name: ours}, {name: reference}

    def with_members(self, body: Any, data: st.DataObject) -> Any:
        everyone = [*self.ids["User"], *self.ids["Group"]]
        if not isinstance(body, dict) or "displayName" not in body or not everyone:
            return body
        return {**body, "members": references(*data.draw(st.lists(st.sampled_from(everyone), unique=True, max_size=3)))}

    def with_manager(self, body: Any, data: st.DataObject) -> Any:
        if not isinstance(body, dict) or ENTERPRISE_URN not in body or not self.ids["User"]:
            return body
        manager = {"value": data.draw(st.sampled_from(self.ids["User"]))}
        return {**body, ENTERPRISE_URN: {**body[ENTERPRISE_URN], "manager": manager}}


PROFILE = settings(max_examples=50, stateful_step_count=15, deadline=None, report_multiple_bugs=False)
ServiceEqualsReference.TestCase.settings = PROFILE
TestServiceEqualsReference = ServiceEqualsReference.TestCase
