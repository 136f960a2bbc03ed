"""The routing rules of the Azure Functions host."""

import pytest

from scim.local_host.routing import Route, RouteError, Router, decoded_path, url_path


def router(*routes: tuple[str, str] | tuple[str, str, str], prefix: str = "") -> Router[str]:
    """Return a router of (function name, template[, methods]) whose targets are the names."""
    return Router(
        (
            Route(name, template, frozenset(methods[0].split()) if methods else None, name)
            for name, template, *methods in routes
        ),
        prefix=prefix,
    )


def test_functions_are_tried_in_the_order_of_their_names_not_by_precedence_of_literals() -> None:
    routes = router(("user", "Users/{id}"), ("users_search", "Users/.search"))
    assert routes.match("POST", "/Users/.search") == ("user", {"id": ".search"})
    routes = router(("user_2", "Users/{id}"), ("user_1", "Users/.search"))
    assert routes.match("POST", "/Users/.search") == ("user_1", {})


@pytest.mark.parametrize(
    ("first", "second"), [("a", "B"), ("A", "b"), ("scim_1", "scim_1_b"), ("usersx", "users_search")]
)
def test_names_are_ordered_without_case_as_capitals(first: str, second: str) -> None:
    assert router((second, "x"), (first, "x")).match("GET", "/x") == (first, {})


def test_literals_match_without_case_and_one_trailing_slash_is_ignored() -> None:
    routes = router(("f", "scim/v2/{directory}/Users"))
    for path in ("/SCIM/v2/d1/users", "/scim/v2/d1/Users/"):
        assert routes.match("GET", path) == ("f", {"directory": "d1"})
    assert routes.match("GET", "/scim/v2/d1/Users//") is None
    assert routes.match("GET", "/scim/v2/d1/Users/x") is None


def test_an_empty_segment_never_matches_a_parameter() -> None:
    routes = router(("f", "Users/{id}/x"), ("g", "Users/{id}"))
    assert routes.match("GET", "/Users//x") is None
    assert routes.match("GET", "/Users/") is None


def test_an_optional_parameter_that_is_absent_has_no_value() -> None:
    routes = router(("f", "Schemas/{urn?}"))
    assert routes.match("GET", "/Schemas/urn:a") == ("f", {"urn": "urn:a"})
    assert routes.match("GET", "/Schemas") == ("f", {})


def test_a_catch_all_takes_the_rest_with_its_slashes() -> None:
    routes = router(("f", "a/{*rest}"), ("zz", "{*path}"))
    assert routes.match("GET", "/a/b/c//d") == ("f", {"rest": "b/c//d"})
    assert routes.match("GET", "/a") == ("f", {})
    assert routes.match("GET", "/a/b\nc") == ("f", {"rest": "b\nc"})
    assert routes.match("GET", "/b/c") == ("zz", {"path": "b/c"})
    assert routes.match("GET", "/") == ("zz", {})


def test_a_method_that_a_route_does_not_take_goes_on_to_the_next() -> None:
    routes = router(("a", "x", "GET POST"), ("b", "x", "PUT"), ("c", "y"))
    assert routes.match("PUT", "/x") == ("b", {})
    assert routes.match("HEAD", "/x") is None
    assert routes.match("PROPFIND", "/y") == ("c", {})


def test_the_prefix_is_part_of_every_route() -> None:
    routes = router(("a", "x"), prefix="api")
    assert routes.match("GET", "/api/x") == ("a", {})
    assert routes.match("GET", "/x") is None


@pytest.mark.parametrize(
    "template",
    ["/x", "~/x", "admin/x", "Administrators", "runtime", "a//b", "{id:int}", "x{id}", "{*rest}/x", "{a?}/b"],
)
def test_a_template_that_the_host_refuses_or_this_host_cannot_serve_is_an_error(template: str) -> None:
    with pytest.raises(RouteError):
        router(("f", template), prefix="api")


@pytest.mark.parametrize(
    ("raw", "decoded", "url"),
    [
        ("/a/b", "/a/b", "/a/b"),
        ("/a%41/%c3%9f%20x", "/aA/ß x", "/aA/%C3%9F%20x"),
        ("/a%2Fb%2fc", "/a%2Fb%2Fc", "/a%2Fb%2Fc"),
        ("/a%252Fb%2541", "/a%2Fb%41", "/a%2Fb%41"),
        ("/100%25", "/100%", "/100%25"),
        ("/a%3Fb%23c", "/a?b#c", "/a%3Fb%23c"),
        ("/%ff", "/\ufffd", "/%EF%BF%BD"),
    ],
)
def test_a_path_is_decoded_once_save_for_slashes(raw: str, decoded: str, url: str) -> None:
    assert decoded_path(raw) == decoded
    assert url_path(raw) == url
