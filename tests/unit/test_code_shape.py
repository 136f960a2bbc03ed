"""The shape that CONTRIBUTING.md asks of the code: short functions, short files, docstrings, the project's words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

from tests.documents import PROJECT

MAX_FUNCTION_LINES = 50
MAX_MEDIAN_FUNCTION_LINES = 10
MAX_FILE_LINES = 300
COMPOSITION = frozenset({"scim/composition.py", "scim/composed_stores.py"})
"""They list every part of the service and grow with it: a second file would only hide half of the list."""
MAX_TRIGGER_LINES = 12
MAX_APP_LINES = 25
EMPTY_WORDS = frozenset({"common", "helper", "helpers", "manager", "util", "utils"})
PERMITTED_TENANT = "tenant_url"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def test_no_function_has_more_than_50_lines() -> None:
    long = {place: lines for place, lines in _function_lines("scim").items() if lines > MAX_FUNCTION_LINES}

    assert not long


def test_half_of_the_functions_have_at_most_ten_lines() -> None:
    assert median(_function_lines("scim").values()) <= MAX_MEDIAN_FUNCTION_LINES


def test_no_file_but_the_composition_has_more_than_300_lines() -> None:
    long = {_name(path): lines for path in _modules() if (lines := _lines(path)) > MAX_FILE_LINES}

    assert not long.keys() - COMPOSITION


def test_triggers_convert_call_and_convert_and_the_app_registers_them() -> None:
    long = {place: lines for place, lines in _function_lines("scim/triggers").items() if lines > MAX_TRIGGER_LINES}

    assert not {place for place in long if "http_conversion" not in place}
    assert _lines(PROJECT / "function_app.py") <= MAX_APP_LINES


def test_what_is_public_has_a_docstring() -> None:
    silent = [_name(path) for path in _modules() if not ast.get_docstring(_tree(path))]
    for path in _modules():
        silent += [
            f"{_name(path)}: {node.name}" for node in _public_definitions(_tree(path)) if not ast.get_docstring(node)
        ]

    assert not silent


def test_modules_and_packages_are_named_for_what_they_hold() -> None:
    empty = [_name(path) for path in _modules() if EMPTY_WORDS & _words(path)]

    assert not empty


def test_a_directory_is_never_called_a_tenant() -> None:
    """The Tenant URL is Entra's name for a field of its own form; nothing else here is a tenant (docs/glossary.md)."""
    named = {
        f"{_name(path)}: {identifier}"
        for path in _modules()
        for identifier in _identifiers(_tree(path))
        if "tenant" in identifier.lower().replace(PERMITTED_TENANT, "")
    }

    assert not named


@cache
def _modules(folder: str = "scim") -> tuple[Path, ...]:
    return tuple(sorted((PROJECT / folder).rglob("*.py")))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _function_lines(folder: str) -> dict[str, int]:
    """Return the lines of each function, docstring included, by file, line and name."""
    return {
        f"{_name(path)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in _modules(folder)
        for node in ast.walk(_tree(path))
        if isinstance(node, Function)
    }


def _public_definitions(holder: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Yield what others may use: no underscore, and in nothing that has one. Magic methods mean what they always do."""
    for node in holder.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public_definitions(node)


def _words(path: Path) -> set[str]:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return {word for part in parts for word in part.split("_")}


def _identifiers(tree: ast.Module) -> Iterator[str]:
    """Yield every name that the code gives or uses; text and comments are none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            continue
        for _, value in ast.iter_fields(node):
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from (item for item in value if isinstance(item, str))
