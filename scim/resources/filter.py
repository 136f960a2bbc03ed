"""Filters over documents: read with the RFC 7644 §3.4.2.2 grammar, resolved once, evaluated without building models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from scim.resources.document_values import (
    Document,
    ResolvedAttribute,
    comparable_form,
    quoted,
    raw_reader,
    resolve_attribute,
    value_reader,
)
from scim.resources.filter_values import comparison, is_present, never
from scim.resources.request_limits import MAX_NAME_LENGTH
from scim.resources.schema import ENTERPRISE_URN, Attribute, ResourceSchema
from scim.unicode_text import TextFault, fault_in

MAX_LENGTH = 8_000
MAX_NESTING = 32
MAX_COMPARISONS = 200

_LONGEST_CACHED, _LONGER_THAN_CACHED = 200, 1025

Predicate = Callable[[Document], bool]
Resolve = Callable[[AttrPath], ResolvedAttribute | None]

_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # takes the rest where a quote is missing, to stay linear
_CONJUNCTION = re.compile(r"(?<![a-z0-9$_.:-])(?:and|or)(?![a-z0-9$_-])", re.IGNORECASE | re.ASCII)
_LONG_NAME = re.compile(rf"[^\s()\[\]]{{{MAX_NAME_LENGTH + 1}}}")
_EQUALITY = re.compile(r'([A-Za-z]{6,1000}) eq "([^"\\\x00-\x1f]{0,1000})"')  # no keyword has six letters
_EXAMPLE = 'userName eq "anna@example.com"'
_TOO_DEEP = f"The filter nests more than {MAX_NESTING} brackets or parentheses; write it flatter."


# -- Reading ------------------------------------------------------------


def parse_filter(text: str) -> FilterNode:
    """Return the syntax tree of a filter.

    :raises InvalidFilterException: When the text is no filter, or larger than ``MAX_LENGTH``, ``MAX_NESTING`` or
        ``MAX_COMPARISONS`` allow; the detail says what to change.
    """
    if equality := _EQUALITY.fullmatch(text):
        # Every other request of Entra ID is such a matching query, and the grammar takes 40 µs to say the same.
        return Comparison(AttrPath(equality[1]), CompareOperator.eq, equality[2])
    _require_limits(text)
    if fault_in_literals(text) is TextFault.SURROGATE:
        raise InvalidFilterException(detail="A text of the filter holds half of a surrogate pair; send valid Unicode.")
    try:
        return ScimFilter(_uncached(text)).ast
    except (InvalidFilterException, RecursionError, ValueError) as error:
        raise InvalidFilterException(detail=_advice(text, error)) from error


def _require_limits(text: str) -> None:
    if not text.strip():
        raise InvalidFilterException(detail=f"The filter is empty; leave it out, or write one such as {_EXAMPLE}.")
    if len(text) > MAX_LENGTH:
        raise InvalidFilterException(detail=f"The filter is longer than {MAX_LENGTH} characters; shorten or split it.")
    syntax = _LITERAL.sub('""', text)
    if _nesting(syntax) > MAX_NESTING:
        raise InvalidFilterException(detail=_TOO_DEEP)
    if len(_CONJUNCTION.findall(syntax)) >= MAX_COMPARISONS:
        raise InvalidFilterException(detail=f"The filter holds more than {MAX_COMPARISONS} comparisons; split it.")
    if _LONG_NAME.search(syntax):
        raise InvalidFilterException(
            detail=f"The filter names an attribute with more than {MAX_NAME_LENGTH:,} characters; shorten it."
        )


def comparisons_in(text: str) -> int:
    """Return how many comparisons a filter, or the brackets of a path, hold."""
    return len(_CONJUNCTION.findall(_LITERAL.sub('""', text))) + 1


def _uncached(text: str) -> str:
    """Return a filter that the grammar's library does not keep unless it is short.

    It keeps 1024 syntax trees of texts up to 1024 characters, which would be 40 MB; space behind a filter says nothing.
    """
    return text if len(text) <= _LONGEST_CACHED else text.ljust(_LONGER_THAN_CACHED)


def fault_in_literals(text: str) -> TextFault | None:
    """Return what a text in quotes, of a filter or a path, writes by its escapes that no text may hold, or None."""
    if "\\u" not in text:
        return None
    for literal in _LITERAL.findall(text):
        with suppress(ValueError):  # the grammar says what is wrong with a literal that is none
            if fault := fault_in(json.loads(literal)):
                return fault
    return None


def _nesting(syntax: str) -> int:
    depth = deepest = 0
    for character in syntax:
        if character in "([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]":
            depth -= 1
    return deepest


def _advice(text: str, error: Exception) -> str:
    """Return what to change in a filter that the grammar refuses."""
    cause = error.__cause__
    if isinstance(error, RecursionError) or cause is None:
        return _TOO_DEEP
    if getattr(cause, "rule", None) == "number_value":
        return "The filter compares with a number that is too large; use a smaller one."
    position = getattr(cause, "pos_in_stream", None)
    if position is None:
        return 'The filter has brackets behind a sub-attribute; put them behind the attribute: emails[type eq "work"].'
    if getattr(getattr(cause, "token", None), "type", None) == "$END":
        return f"The filter ends too early; write attribute, operator and value, such as {_EXAMPLE}."
    return (
        f"The filter cannot be read from character {position + 1}, {quoted(text[position : position + 30])}. "
        f"Write attribute, operator and value, text in double quotes, such as {_EXAMPLE}."
    )


def comparisons_of(node: FilterNode) -> int:
    """Return how many comparisons a filter holds, those in brackets too."""
    if isinstance(node, LogicalExpr):
        return sum(comparisons_of(term) for term in node.terms)
    if isinstance(node, Not):
        return comparisons_of(node.expr)
    return comparisons_of(node.val_filter) if isinstance(node, ValuePath) else 1


# -- Resolving ----------------------------------------------------------


class CompiledFilter:
    """A filter with its attributes resolved for each schema it was compiled for."""

    __slots__ = ("_predicates",)

    def __init__(self, predicates: Mapping[ResourceSchema, Predicate]) -> None:
        self._predicates = predicates

    def matches(self, schema: ResourceSchema, document: Document) -> bool:
        """Return whether a document, with its ``id``, ``schemas`` and ``meta``, satisfies the filter."""
        return self._predicates[schema](document)

    def predicate(self, schema: ResourceSchema) -> Predicate:
        """Return :meth:`matches` for documents of one schema, for loops over many."""
        return self._predicates[schema]


def compile_filter(node: FilterNode, schemas: Sequence[ResourceSchema]) -> CompiledFilter:
    """Return a filter ready to be evaluated on documents of the given schemas.

    An attribute that only some of several schemas declare is false on the others (RFC 7644 §3.4.2.1).

    :raises InvalidFilterException: When no schema declares an attribute, or one takes no such operator or value.
    """
    compilers = {schema: _Compiler(_resolver(schema)) for schema in schemas}
    predicates = {schema: compiler.compile(node) for schema, compiler in compilers.items()}
    _refuse_unknown([compiler.unknown for compiler in compilers.values()], schemas)
    return CompiledFilter(predicates)


def compile_entry_filter(node: FilterNode, attribute: Attribute, path: str) -> Callable[[Any], bool]:
    """Return a test of one entry of a multi-valued attribute, for the brackets of a value path (RFC 7644 §3.5.2).

    :param path: How the caller named the attribute; used in errors.
    :raises InvalidFilterException: When the attribute has no such sub-attribute, operator or value.
    """
    unknown: dict[str, None] = {}
    matches = _entry_test(node, attribute, path, unknown)
    for name in unknown:
        raise InvalidFilterException(detail=f"{quoted(name)} is not a sub-attribute of {quoted(path)}.")
    return matches


def _refuse_unknown(unknown: Sequence[Mapping[str, None]], schemas: Sequence[ResourceSchema]) -> None:
    """Refuse a path that no schema knows; one that does not know an attribute does not know what its brackets hold."""
    for path in (path for paths in unknown for path in paths):
        if all(any(f"{path}.".startswith(f"{other}.") for other in paths) for paths in unknown):
            names = " or ".join(schema.name for schema in schemas)
            raise InvalidFilterException(
                detail=f"{quoted(path)} is not an attribute of {names}. Check its spelling; an attribute of an "
                f"extension is written with its schema URN, such as {ENTERPRISE_URN}:department."
            )


def _resolver(schema: ResourceSchema) -> Resolve:
    return lambda path: resolve_attribute(schema, path)


def _entry_test(node: FilterNode, attribute: Attribute, path: str, unknown: dict[str, None]) -> Callable[[Any], bool]:
    """Return a test of one entry; the entries of a multi-valued plain attribute are addressed as ``value``."""
    sub_attributes = attribute.sub_attributes
    if attribute.type != "complex":
        sub_attributes = {"value": replace(attribute, name="value", multi_valued=False)}

    def resolve(inner: AttrPath) -> ResolvedAttribute | None:
        sub = None if inner.uri or inner.sub_attr else sub_attributes.get(inner.attr.lower())
        return ResolvedAttribute(f"{path}.{inner}", None, sub) if sub else None

    compiler = _Compiler(resolve)
    matches = compiler.compile(node)
    unknown.update({f"{path}.{name}": None for name in compiler.unknown})
    of_right_type = comparable_form(attribute)
    if attribute.type == "complex":
        return lambda entry: of_right_type(entry) is not None and matches(entry)
    return lambda entry: of_right_type(entry) is not None and matches({"value": entry})


class _Compiler:
    """Turns the nodes of a filter into predicates over what its attribute paths are resolved against."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.unknown: dict[str, None] = {}
        """The paths that name no attribute, in the order met."""

    def compile(self, node: FilterNode) -> Predicate:
        if isinstance(node, LogicalExpr):
            return self._logical(node)
        if isinstance(node, Not):
            negated = self.compile(node.expr)
            return lambda document: not negated(document)
        if isinstance(node, (Comparison, Present, ValuePath)):
            return self._on_attribute(node)
        message = f"unsupported filter node: {type(node).__name__}"
        raise TypeError(message)

    def _logical(self, node: LogicalExpr) -> Predicate:
        terms = [self.compile(term) for term in node.terms]
        if node.op is LogicalOperator.and_:
            return lambda document: all(term(document) for term in terms)
        return lambda document: any(term(document) for term in terms)

    def _on_attribute(self, node: Comparison | Present | ValuePath) -> Predicate:
        resolved = self._resolve(node.attr_path)
        if resolved is None:
            self.unknown[str(node.attr_path)] = None
            return never
        if isinstance(node, Comparison):
            return _comparison(node, resolved.with_value())
        return _presence(resolved) if isinstance(node, Present) else self._selection(node, resolved)

    def _selection(self, node: ValuePath, resolved: ResolvedAttribute) -> Predicate:
        if not resolved.attribute.multi_valued:
            raise InvalidFilterException(
                detail=f"{quoted(resolved.path)} holds a single value, so brackets cannot select from it; remove them."
            )
        matches = _entry_test(node.val_filter, resolved.attribute, resolved.path, self.unknown)
        read = raw_reader(resolved)

        def selects(document: Document) -> bool:
            entries = read(document)
            return isinstance(entries, list) and any(matches(entry) for entry in entries)

        return selects


def _comparison(node: Comparison, resolved: ResolvedAttribute) -> Predicate:
    test = comparison(resolved, node.op, node.value)
    read = value_reader(resolved)
    if not resolved.attribute.multi_valued:
        return lambda document: test(read(document))
    # RFC 7644 does not say what ``ne`` means for several values: none of them may equal the operand.
    quantifier = all if node.op is CompareOperator.ne else any
    return lambda document: quantifier(test(value) for value in read(document) or (None,))


def _presence(resolved: ResolvedAttribute) -> Predicate:
    if resolved.write_only:
        return never
    read = value_reader(resolved)
    return lambda document: is_present(read(document))
