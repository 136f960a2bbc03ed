"""What is larger than one request may hold is refused with a sentence that says what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scim.resources.schema import USER_URN
from tests.hostile_requests import UNDECLARED_URN, emails, numbered
from tests.service import BULK_URN, PATCH_URN, SEARCH_URN, ScimClient, group, user

LONG = "a" * 1001
LIMIT = "a" * 1000


def add(path: str, value: Any = "x") -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def refused(answer: Any) -> tuple[int, str]:
    detail = answer.json["detail"]
    assert any(word in detail for word in ("shorten", "fewer", "longer than", "larger than", "has more than")), detail
    assert len(detail) < 400, detail
    return answer.status, answer.json.get("scimType", "")


@pytest.mark.parametrize(
    "attributes",
    [
        {LONG: 1},
        {f"{UNDECLARED_URN}:{LONG}": 1},
        {UNDECLARED_URN: {LONG: 1}},
        {"name": {LONG: "x"}},
        {"emails": [{"value": "a@x.example", LONG: "x"}]},
        {"nested": {"deep": [{LONG: "x"}]}},
        {"a" * 1_800_000: 1},
    ],
)
async def test_a_name_of_more_than_a_thousand_characters_is_refused(
    scim: ScimClient, attributes: dict[str, Any]
) -> None:
    user_id = (await scim.new_user("bob"))["id"]
    answers = [
        await scim.post("/Users", user("anna", **attributes)),
        await scim.put(f"/Users/{user_id}", user("bob", **attributes)),
        await scim.patch(f"/Users/{user_id}", {"op": "add", "value": attributes}),
    ]

    assert {refused(answer)[0] for answer in answers} <= {400, 413}
    assert (await scim.get("/Users")).json["totalResults"] == 1


async def test_a_name_of_a_thousand_characters_is_kept(scim: ScimClient) -> None:
    created = await scim.new_user("anna", **{LIMIT: 1})

    assert (await scim.get(f"/Users/{created['id']}")).json[LIMIT] == 1


@pytest.mark.parametrize(
    "path",
    [LONG, f'emails[type eq "{LONG}"].value', f"{UNDECLARED_URN}:{LONG}", f"urn:{'1:' * 600}1:User", "a" * 900_000],
)
async def test_a_path_of_more_than_a_thousand_characters_is_refused(scim: ScimClient, path: str) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    assert refused(await scim.patch(f"/Users/{user_id}", add(path))) == (400, "invalidPath")


@pytest.mark.parametrize("parameter", ["attributes", "excludedAttributes", "sortBy"])
@pytest.mark.parametrize("name", [LONG, "urn:" + "a:" * 12_000 + "x"])
async def test_a_parameter_with_a_name_of_more_than_a_thousand_characters_is_refused(
    scim: ScimClient, parameter: str, name: str
) -> None:
    value: Any = name if parameter == "sortBy" else [name]
    answers = [
        await scim.get("/Users", {parameter: name}),
        await scim.post("/Users/.search", {"schemas": [SEARCH_URN], parameter: value}),
    ]

    assert [(answer.status, answer.json["scimType"]) for answer in answers] == [(400, "invalidPath")] * 2


async def test_a_filter_that_names_an_attribute_with_more_than_a_thousand_characters_is_refused(
    scim: ScimClient,
) -> None:
    for text in (f'{LONG} eq "x"', f'emails[{LONG} eq "x"]', f"urn:{'a:' * 600}x pr"):
        assert refused(await scim.get("/Users", {"filter": text})) == (400, "invalidFilter")


async def test_a_path_that_compares_more_than_twenty_times_is_refused(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    terms = " or ".join(['type eq "a"'] * 21)

    answer = await scim.patch(f"/Users/{user_id}", add(f"emails[{terms}].value"))

    assert (answer.status, answer.json["scimType"]) == (400, "invalidPath")


@pytest.mark.parametrize("name", ["path", "bulkId", "version"])
async def test_a_long_text_of_a_bulk_operation_is_refused_and_not_repeated(scim: ScimClient, name: str) -> None:
    operation = {"method": "POST", "path": "/Users", "bulkId": "1", "data": user("anna"), name: "/" + "a" * 500_000}
    answer = await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": [operation]})

    assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")
    assert len(json.dumps(answer.json)) < 1000


async def test_more_than_a_thousand_members_of_an_object_are_refused(scim: ScimClient) -> None:
    user_id = (await scim.new_user("bob"))["id"]
    answers = [
        await scim.post("/Users", user("anna", **numbered(20_000))),
        await scim.put(f"/Users/{user_id}", user("bob", **numbered(1001))),
        await scim.patch(f"/Users/{user_id}", {"op": "add", "value": numbered(1001)}),
    ]

    assert [refused(answer) for answer in answers] == [(400, "tooMany")] * 3


async def test_patches_one_after_another_cannot_give_an_object_more_than_a_thousand_members(scim: ScimClient) -> None:
    created = await scim.new_user("anna", **numbered(900), **{UNDECLARED_URN: numbered(900)}, name=numbered(900))
    path = f"/Users/{created['id']}"
    places = ("", f"{UNDECLARED_URN}:", "name.")

    answers = [await scim.patch(path, *(add(f"{place}b{index}") for index in range(101))) for place in places]

    assert [refused(answer) for answer in answers] == [(400, "tooMany")] * 3
    assert (await scim.get(path)).etag == created["meta"]["version"]


async def test_more_than_a_thousand_operations_of_a_patch_are_refused(scim: ScimClient) -> None:
    user_id, group_id = (await scim.new_user("anna"))["id"], (await scim.new_group("Team"))["id"]
    operations = [add("title", str(index)) for index in range(1001)]
    patch = {"method": "PATCH", "path": f"/Users/{user_id}", "data": {"schemas": [PATCH_URN], "Operations": operations}}

    answers = [await scim.patch(path, *operations) for path in (f"/Users/{user_id}", f"/Groups/{group_id}")]
    in_bulk = (await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": [patch]})).json["Operations"][0]

    assert [refused(answer) for answer in answers] == [(400, "tooMany")] * 2
    assert (in_bulk["status"], in_bulk["response"]["scimType"]) == ("400", "tooMany")


async def test_the_patches_of_a_bulk_request_hold_ten_thousand_operations_together_at_most(scim: ScimClient) -> None:
    operations = [{"op": "add", "path": "a", "value": 1}] * 1000
    patch = {"method": "PATCH", "path": "/Users/x", "data": {"schemas": [PATCH_URN], "operations": operations}}

    answers = [await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": [patch] * number}) for number in (10, 11)]

    assert [answer.status for answer in answers] == [200, 413]


@pytest.mark.parametrize(
    ("path", "entries"),
    [
        ("emails", emails(1001)),
        ("roles", [str(index) for index in range(1001)]),
        ("hobbies", list(range(1001))),
        ("nested", {"deep": [1] * 1001}),
        (f"{UNDECLARED_URN}:hobbies", list(range(1001))),
        ("x509Certificates", [{"value": "aaaa"}] * 1001),
    ],
)
async def test_more_than_a_thousand_entries_of_an_attribute_are_refused(
    scim: ScimClient, path: str, entries: Any
) -> None:
    user_id = (await scim.new_user("bob"))["id"]
    answers = [
        await scim.post("/Users", user("anna", **{path: entries})),
        await scim.put(f"/Users/{user_id}", user("bob", **{path: entries})),
        await scim.patch(f"/Users/{user_id}", add(path, entries)),
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "value": {path: entries}}),
        await scim.post("/Groups", group("Team", **{path: entries})),
    ]

    assert [refused(answer) for answer in answers if answer.status != 201] == [(400, "tooMany")] * 5


async def test_patches_one_after_another_cannot_give_an_attribute_more_than_a_thousand_entries(
    scim: ScimClient,
) -> None:
    path = f"/Users/{(await scim.new_user('anna', emails=emails(999)))['id']}"

    last = await scim.patch(path, add('emails[type eq "new"].value', "new@x.example"))
    one_more = [
        await scim.patch(path, add("emails", [{"value": "more@x.example"}])),
        await scim.patch(path, add('emails[type eq "more"].value', "more@x.example")),
    ]

    assert (last.status, len(last.json["emails"])) == (200, 1000)
    assert [refused(answer) for answer in one_more] == [(400, "tooMany")] * 2
    assert len((await scim.get(path)).json["emails"]) == 1000


async def test_a_group_may_have_more_than_a_thousand_members(scim: ScimClient) -> None:
    ids = await scim.new_users(1001)

    assert len((await scim.new_group("Team", ids))["members"]) == 1001


@pytest.mark.parametrize("length", [1_572_864, 1_572_865])
async def test_a_body_larger_than_a_user_can_need_is_refused_by_its_length(scim: ScimClient, length: int) -> None:
    user_id = (await scim.new_user("bob"))["id"]
    body = json.dumps(user("anna")).encode().ljust(length)

    answers = [
        await scim.send("POST", "/Users", body),
        await scim.send("PUT", f"/Users/{user_id}", body),
        await scim.send("POST", "/Users", user("cleo"), headers={"content_length": str(length)}),
    ]

    assert [answer.status for answer in answers] == ([201, 409, 201] if length % 2 == 0 else [413] * 3)


async def test_a_user_of_almost_256_kib_is_stored_with_every_letter_written_as_an_escape(scim: ScimClient) -> None:
    title = "A" * 261_000
    body = f'{{"schemas":["{USER_URN}"],"userName":"anna","title":"{title.replace("A", chr(92) + "u0041")}"}}'

    answer = await scim.send("POST", "/Users", body.encode())

    assert (answer.status, answer.json["title"] == title) == (201, True)


async def test_a_body_of_very_many_lists_is_refused_before_it_is_read(scim: ScimClient) -> None:
    answer = await scim.post("/Groups", group("Team", nested=[[]] * 200_000))

    assert refused(answer) == (400, "tooMany")


async def test_a_page_of_large_users_is_shorter_and_no_user_is_left_out(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await scim.new_user(f"user {number}", title="x" * 1000))["id"] for number in range(20)]
    for module in ("scim.adapters.tables.search", "scim.adapters.tables.pages", "scim.resources.stored_document"):
        monkeypatch.setattr(f"{module}.MAX_PAGE_CHARACTERS", 5000)

    for parameters in ({"startIndex": "1"}, {"cursor": ""}, {"cursor": "", "sortBy": "userName"}, {"sortBy": "id"}):
        found: list[str] = []
        query: dict[str, str] = parameters
        while True:
            page = (await scim.get("/Users", {"count": "10", **query})).json
            found += [user["id"] for user in page["Resources"]]
            assert 0 < page["itemsPerPage"] < 5
            if "cursor" in query and "nextCursor" not in page:
                break
            further = {"cursor": page["nextCursor"]} if "cursor" in query else {"startIndex": str(len(found) + 1)}
            query = query | further
            if len(found) == len(ids):
                break
        assert sorted(found) == sorted(ids)


async def test_a_page_before_another_holds_the_large_users_next_to_it(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await scim.new_user(f"user {number:02d}", title="x" * 1000))["id"] for number in range(12)]
    monkeypatch.setattr("scim.adapters.tables.search.MAX_PAGE_CHARACTERS", 3000)
    monkeypatch.setattr("scim.resources.stored_document.MAX_PAGE_CHARACTERS", 3000)

    for order in ({}, {"sortBy": "userName"}):
        last = await scim.get("/Users", {"cursor": "", "count": "2", **order})
        seen = last.ids
        while "nextCursor" in last.json:
            last = await scim.get("/Users", {"cursor": last.json["nextCursor"], "count": "2", **order})
            seen += last.ids
        back = last.ids
        while "previousCursor" in last.json:
            last = await scim.get("/Users", {"cursor": last.json["previousCursor"], "count": "2", **order})
            back = [*last.ids, *back]
        assert seen == back == sorted(ids)
