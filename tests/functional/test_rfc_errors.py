"""What is refused, and how it is said (RFC 7644 §3.12); the client of these tests checks the form of every error."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from scim.composed_stores import RESOURCES_TABLE
from scim.resources.errors import StorageUnavailableError
from tests.fakes.memory_table import MemoryTable, Request
from tests.service import SEARCH_URN, ScimClient, add_members, group, user

USER = json.dumps(user("anna")).encode()
MIB = 1024 * 1024


async def send_everywhere(scim: ScimClient, body: bytes, **headers: str) -> list[int]:
    """Return the statuses with which each operation that takes a body answers one."""
    user_id = (await scim.new_user("existing"))["id"]
    targets = [("POST", "/Users"), ("PUT", f"/Users/{user_id}"), ("PATCH", f"/Users/{user_id}")]
    targets += [("POST", "/Groups"), ("POST", "/.search"), ("POST", "/Bulk")]
    return [(await scim.send(method, path, body, headers=headers)).status for method, path in targets]


BAD_BODIES = {
    "empty": b"",
    "blank": b" \r\n",
    "null": b"null",
    "text": b'"x"',
    "number": b"1",
    "array": b"[]",
    "cut off": b'{"schemas":[',
    "trailing": USER + b"}",
    "single quotes": b"{'userName': 'anna'}",
    "not UTF-8": b'{"userName":"\xff\xfe"}',
    "NaN": b'{"userName":NaN}',
    "infinite": b'{"userName":-Infinity}',
    "long number": b'{"userName":' + b"1" * 5000 + b"}",
    "too large": USER[:-1] + b',"x":1e999}',
    "too small": USER[:-1] + b',"x":[{"y":-1e999}]}',
    "400 digits": USER[:-1] + b',"x":1' + b"0" * 400 + b"}",
    "half a pair in a value": USER[:-1] + b',"x":"a\\ud800"}',
    "half a pair in a name": USER[:-1] + b',"x\\uDFFF":1}',
    "pair the wrong way round": USER[:-1] + b',"x":["\\udc00\\ud800"]}',
    "half a pair in a schema": b'{"schemas":["urn:\\uD800"]}',
    "half a pair in bytes": USER[:-1] + b',"x":"\xed\xa0\x80"}',
    "NUL in a value": USER[:-1] + b',"x":"a\\u0000"}',
    "NUL in a name": USER[:-1] + b',"x\\u0000":1}',
    "a member twice": USER[:-1] + b',"x":1,"x":1}',
    "a member twice, written differently": USER[:-1] + b',"x":1,"\\u0078":2}',
    "a member twice, deep inside": USER[:-1] + b',"x":[{"y":{"z":1,"z":2}}]}',
    "1,001 members": json.dumps({f"x{number}": 1 for number in range(1001)}).encode(),
    "1,001 members, deep inside": json.dumps([[{f"x{number}": 1 for number in range(1001)}]]).encode(),
    "UTF-16": USER.decode().encode("utf-16"),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_is_no_json_object_is_refused(scim: ScimClient, body: bytes) -> None:
    assert await send_everywhere(scim, body) == [400] * 6


NO_FAULTS = {
    "a whole pair": b'"\\ud83d\\ude00"',
    "a Hangul syllable": b'"\\ud55c\\uD7A3"',
    "an escaped backslash before ud800": b'"\\\\ud800"',
    "an escaped backslash before u0000": b'"\\\\u0000"',
    "the largest number": b"1.7976931348623157e308",
    "64 bits": b"-9223372036854775808",
    "a name in two objects": b'[{"a":1},{"a":1}]',
}


@pytest.mark.parametrize("value", NO_FAULTS.values(), ids=NO_FAULTS)
async def test_what_only_looks_like_a_fault_is_kept_as_sent(scim: ScimClient, value: bytes) -> None:
    created = await scim.post("/Users", USER[:-1] + b',"x":' + value + b"}")

    assert created.status == 201
    assert created.json["x"] == json.loads(value)


async def test_an_object_of_a_thousand_members_is_read(scim: ScimClient) -> None:
    members = {f"x{number}": 1 for number in range(998)}

    assert (await scim.post("/Users", {**user("anna"), **members})).status == 201


async def test_a_refused_body_creates_nothing(scim: ScimClient) -> None:
    await scim.post("/Users", USER[:-1] + b',"x\\ud800":1}')
    await scim.post("/Users", USER[:-1] + b',"x":1e999}')

    assert (await scim.get("/Users")).json["totalResults"] == 0


@pytest.mark.parametrize(
    ("fault", "scim_type", "detail"),
    [
        (b'"\\ud800"', "invalidValue", "half of a surrogate pair"),
        (b"-1e999", "invalidValue", "-1e999 is too large"),
        (b"1" * 5000, "invalidValue", "a number that is too long"),
        (b'{"y":1,"y":1}', "invalidValue", "'y' is given twice"),
        (json.dumps(dict.fromkeys(map(str, range(1001)))).encode(), "tooMany", "more than 1,000 members"),
    ],
)
async def test_an_error_says_what_in_the_body_cannot_be_kept(
    scim: ScimClient, fault: bytes, scim_type: str, detail: str
) -> None:
    answer = await scim.post("/Users", USER[:-1] + b',"x":' + fault + b"}")

    assert (answer.status, answer.json["scimType"]) == (400, scim_type)
    assert detail in answer.json["detail"]


async def test_an_error_says_where_the_body_is_no_json(scim: ScimClient) -> None:
    answer = await scim.post("/Users", b'{\n  "userName": }')

    assert answer.json["scimType"] == "invalidSyntax"
    assert "line 2, column 15" in answer.json["detail"]


async def test_a_chunked_body_that_arrives_empty_says_so(scim: ScimClient) -> None:
    chunked = await scim.post("/Users", b"", transfer_encoding="chunked")
    empty = await scim.post("/Users", b"")

    assert "Transfer-Encoding: chunked" in chunked.json["detail"]
    assert "chunked" not in empty.json["detail"]
    assert "Content-Length" in empty.json["detail"]


@pytest.mark.parametrize("depth", [33, 100, 1000, 100_000])
async def test_a_body_that_nests_too_deeply_is_refused(scim: ScimClient, depth: int) -> None:
    body = USER[:-1] + b',"x":' + b"[" * depth + b"1" + b"]" * depth + b"}"

    assert await send_everywhere(scim, body) == [400] * 6


async def test_a_body_that_nests_as_deeply_as_is_allowed_is_kept(scim: ScimClient) -> None:
    value: Any = "inside"
    for _ in range(31):
        value = {"a": value}

    created = await scim.new_user("anna", nested=value)

    assert created["nested"] == value


async def test_a_body_larger_than_two_mebibytes_is_refused(scim: ScimClient) -> None:
    assert await send_everywhere(scim, USER[:-1] + b" " * (2 * MIB) + b"}") == [413] * 6


async def test_a_resource_larger_than_what_is_stored_is_refused_whatever_its_shape(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    large = {"a long text": "é" * 131_072, "many": [{"value": "x" * 300} for _ in range(1000)]}

    for value in large.values():
        answers = [
            await scim.post("/Users", user("bob", unknown=value)),
            await scim.put(f"/Users/{user_id}", user("anna", unknown=value)),
            await scim.patch(f"/Users/{user_id}", {"op": "add", "path": "unknown", "value": value}),
            await scim.post("/Groups", group("Team", unknown=value)),
        ]
        assert [answer.status for answer in answers] == [413] * 4
    assert (await scim.get("/Users")).ids == [user_id]


async def test_a_resource_just_as_large_as_allowed_is_stored_and_changed(scim: ScimClient) -> None:
    title = "😀" * 60_000
    created = await scim.new_user("anna", title=title)
    path = f"/Users/{created['id']}"

    changed = await scim.patch(path, {"op": "replace", "path": "nickName", "value": "x" * 10_000})
    longer = await scim.patch(path, {"op": "replace", "path": "nickName", "value": "x" * 30_000})

    assert (changed.status, changed.json["title"] == title, longer.status) == (200, True, 413)
    assert (await scim.get(path)).json == changed.json
    await scim.relay()


async def test_more_work_addresses_than_can_be_looked_up_are_refused(scim: ScimClient) -> None:
    emails = [{"type": "work", "value": f"{number}@x.example"} for number in range(21)]

    assert (await scim.post("/Users", user("anna", emails=emails[:20]))).status == 201
    refused = await scim.post("/Users", user("bob", emails=emails))

    assert (refused.status, "20" in refused.json["detail"]) == (413, True)
    assert await scim.find('emails[type eq "work"].value eq "19@x.example"') == (await scim.get("/Users")).ids


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json"])
async def test_a_body_of_another_type_is_refused(scim: ScimClient, media_type: str) -> None:
    assert await send_everywhere(scim, USER, content_type=media_type) == [415] * 6


@pytest.mark.parametrize(
    "media_type",
    ["application/scim+json", "application/json", "APPLICATION/JSON; charset=UTF-8", "application/scim+json;;;", ""],
)
async def test_a_json_body_is_read_whatever_it_is_called(scim: ScimClient, media_type: str) -> None:
    assert (await scim.send("POST", "/Users", USER, headers={"content_type": media_type})).status == 201
    with_mark = await scim.send("POST", "/Users", b"\xef\xbb\xbf" + USER.replace(b"anna", b"bob"))
    assert (with_mark.status, with_mark.json["userName"]) == (201, "bob")


@pytest.mark.parametrize(
    "text", ['{"userName":"\\ud800"}', '{"userName":"a","x":{"\\udc00":1}}', '{"userName":"a","x":["\\ud83d"]}']
)
async def test_text_that_is_no_unicode_is_refused(scim: ScimClient, text: str) -> None:
    body = f'{{"schemas":["{user("a")["schemas"][0]}"],{text[1:]}'.encode()

    answer = await scim.send("POST", "/Users", body)

    assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")


@pytest.mark.parametrize("number", ["1e400", "-1e999"])
async def test_a_number_beyond_all_is_refused(scim: ScimClient, number: str) -> None:
    body = USER[:-1] + f',"shoeSize":{number}}}'.encode()

    assert (await scim.send("POST", "/Users", body)).status == 400


async def test_a_thousand_operations_are_applied_and_more_are_refused(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    operations = [{"op": "replace", "path": "title", "value": str(number)} for number in range(1001)]

    answer = await scim.patch(f"/Users/{user_id}", *operations[:1000])
    refused = await scim.patch(f"/Users/{user_id}", *operations)

    assert (answer.status, answer.json["title"]) == (200, "999")
    assert (refused.status, refused.json["scimType"]) == (400, "tooMany")


async def test_a_path_or_filter_that_is_too_long_is_refused(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    path = await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "a" * 50_000, "value": 1})
    text = await scim.get("/Users", {"filter": f'userName eq "{"a" * 9_000}"'})

    assert (path.status, path.json["scimType"]) == (400, "invalidPath")
    assert (text.status, text.json["scimType"]) == (400, "invalidFilter")
    assert max(len(path.json["detail"]), len(text.json["detail"])) < 400


async def test_while_storage_does_not_answer_every_operation_says_when_to_try_again(
    scim: ScimClient, rows: MemoryTable
) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    group_id = (await scim.new_group("Team"))["id"]

    def down(_request: Request) -> Exception:
        return StorageUnavailableError("storage is down", retry_after=7)

    rows.before = down
    answers = [
        await scim.get(f"/Users/{user_id}"),
        await scim.get("/Users"),
        await scim.get("/Users", {"filter": 'userName eq "anna"'}),
        await scim.get("/Groups", {"cursor": ""}),
        await scim.post("/Users", user("bob")),
        await scim.put(f"/Users/{user_id}", user("anna")),
        await scim.patch(f"/Users/{user_id}", {"op": "remove", "path": "title"}),
        await scim.patch(f"/Groups/{group_id}", add_members(user_id)),
        await scim.delete(f"/Users/{user_id}"),
        await scim.delete(f"/Groups/{group_id}"),
    ]
    rows.before = None

    assert [(answer.status, answer.headers["Retry-After"]) for answer in answers] == [(503, "7")] * len(answers)
    assert (await scim.delete(f"/Users/{user_id}")).status == 204


async def test_a_defect_is_answered_without_telling_of_it(
    scim: ScimClient, rows: MemoryTable, caplog: pytest.LogCaptureFixture
) -> None:
    rows.before = lambda _request: RuntimeError("secret of the house")

    with caplog.at_level(logging.ERROR):
        answer = await scim.get("/Users")

    assert (answer.status, "secret" in answer.json["detail"]) == (500, False)
    assert "secret of the house" in caplog.text
    assert RESOURCES_TABLE not in answer.json["detail"]


async def test_an_error_carries_the_id_under_which_it_is_logged(scim: ScimClient) -> None:
    given = await scim.get("/nothing", client_request_id="0f5b2c1e-0000-4000-8000-000000000001")
    forged = await scim.get("/nothing", client_request_id='x"\r\nSet-Cookie: a')
    own = await scim.get("/nothing")

    assert given.headers["request-id"] == "0f5b2c1e-0000-4000-8000-000000000001"
    assert len({answer.headers["request-id"] for answer in (given, forged, own)}) == 3
    assert "Set-Cookie" not in forged.headers["request-id"]


DISGUISES = ["\t", "\n", "\x01", "\x7f", "\x85", "\u202a", "\u202e", "\u2066", "\u2069"]


@pytest.mark.parametrize("character", DISGUISES, ids=ascii)
async def test_a_user_name_that_hides_what_it_is_is_refused(scim: ScimClient, character: str) -> None:
    anna = (await scim.new_user("anna"))["id"]
    name = f"nim{character}da"

    answers = [
        await scim.post("/Users", user(name)),
        await scim.put(f"/Users/{anna}", user(name)),
        await scim.patch(f"/Users/{anna}", {"op": "replace", "path": "userName", "value": name}),
        await scim.patch(f"/Users/{anna}", {"op": "replace", "value": {"userName": name}}),
    ]

    assert [(answer.status, answer.json["scimType"]) for answer in answers] == [(400, "invalidValue")] * 4
    assert (await scim.get(f"/Users/{anna}")).json["userName"] == "anna"


async def test_a_name_in_a_script_from_right_to_left_is_kept_as_sent(scim: ScimClient) -> None:
    hebrew = "\u200f\u05d3\u05e0\u05d4\u200e"

    assert (await scim.new_user(hebrew))["userName"] == hebrew
    assert (await scim.new_group("a\u202eb\tc"))["displayName"] == "a\u202eb\tc"


@pytest.mark.parametrize(
    "text", [r'userName eq "a\ud800"', r'displayName co "\uDFFF"', r"x\ud800 eq 1", r'emails[value eq "\ud800"]']
)
async def test_a_filter_with_half_of_a_surrogate_pair_is_refused(scim: ScimClient, text: str) -> None:
    assert (await scim.get("/Users", {"filter": text})).status == 400
    assert (await scim.post("/.search", {"schemas": [SEARCH_URN], "filter": text})).status == 400


@pytest.mark.parametrize("literal", [r'"\ud800"', r'"\u0000"', "1e999", "-1e999", "1" * 5000])
async def test_a_path_does_not_create_what_could_not_be_kept(scim: ScimClient, literal: str) -> None:
    anna = await scim.new_user("anna")
    for attribute in ("emails", "undeclared"):
        path = f"{attribute}[type eq {literal}].value"

        answer = await scim.patch(f"/Users/{anna['id']}", {"op": "add", "path": path, "value": "a@example.com"})

        assert answer.status == 400
    assert (await scim.get(f"/Users/{anna['id']}")).json == anna
