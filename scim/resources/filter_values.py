"""Comparing one attribute value with the operand of a filter (RFC 7644 §3.4.2.2)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from scim2_models import InvalidFilterException, InvalidValueException
from scim2_models.path import ORDERING_OPERATORS, STRING_OPERATORS, CompareOperator

from scim.resources.document_values import ResolvedAttribute, comparable_form, quoted
from scim.resources.values import ABSENT, read_value

Test = Callable[[Any], bool]
"""Tells whether a comparable value, or None for a missing one, is kept."""

_UNORDERED = {"boolean": "is true or false", "binary": "holds binary data"}


def never(_value: Any) -> bool:
    """Return False, whatever the value."""
    return False


def comparison(resolved: ResolvedAttribute, op: CompareOperator, operand: Any) -> Test:
    """Return the test of a single value.

    :raises InvalidFilterException: When the attribute takes no such operator or operand.
    """
    _require_operator(resolved, op)
    if resolved.write_only:
        return never  # it is not kept, so a match, even of ``ne``, would say something untrue about it
    if op in STRING_OPERATORS:
        form = comparable_form(resolved.compared)
        return _fragment_test(op, form(operand)) if isinstance(operand, str) else never
    expected = _operand(resolved, operand)
    if op is CompareOperator.eq:
        return partial(operator.eq, expected)
    if op is CompareOperator.ne:
        return partial(operator.ne, expected)
    if expected is None or resolved.compared.type == "complex":
        return never
    return _order_test(_ORDERS[op], expected)


def _require_operator(resolved: ResolvedAttribute, op: CompareOperator) -> None:
    if op not in ORDERING_OPERATORS | STRING_OPERATORS:
        return
    path = quoted(resolved.path)
    if resolved.write_only:
        raise InvalidFilterException(detail=f"{path} is never given out: compare it with eq or ne only.")
    reason = _UNORDERED.get(resolved.compared.type)
    if reason:
        raise InvalidFilterException(detail=f'{path} {reason}: use eq, ne or pr in place of "{op.value}".')


def _operand(resolved: ResolvedAttribute, operand: Any) -> Any:
    """Return the operand in comparable form; text such as "True" stands for a boolean, as Entra ID sends it."""
    attribute = resolved.compared
    if operand is None or attribute.type == "complex":
        return operand
    single = replace(attribute, multi_valued=False, lenient=False)
    try:
        value = read_value(single, operand, quoted(resolved.path))
    except InvalidValueException as error:
        raise InvalidFilterException(detail=f"The filter does not fit the attribute: {error.detail}") from error
    if value is ABSENT:
        raise InvalidFilterException(detail=f"The filter compares {quoted(resolved.path)} with nothing; give a value.")
    return comparable_form(single)(value)


def _fragment_test(op: CompareOperator, fragment: Any) -> Test:
    if not isinstance(fragment, str):
        return never  # co, sw and ew have no meaning on numbers and dates
    if op is CompareOperator.co:
        return lambda value: value is not None and fragment in value
    if op is CompareOperator.sw:
        return lambda value: value is not None and value.startswith(fragment)
    return lambda value: value is not None and value.endswith(fragment)


def _order_test(order: Callable[[Any, Any], bool], bound: Any) -> Test:
    return lambda value: value is not None and order(value, bound)


_ORDERS: dict[CompareOperator, Callable[[Any, Any], bool]] = {
    CompareOperator.gt: operator.gt,
    CompareOperator.ge: operator.ge,
    CompareOperator.lt: operator.lt,
    CompareOperator.le: operator.le,
}


def is_present(value: Any) -> bool:
    """Return whether a value satisfies ``pr``: false and 0 do; null, empty text and objects of only such do not."""
    if value is None:
        return False
    if isinstance(value, (str, bytes)):
        return len(value) > 0
    if isinstance(value, dict):
        return any(is_present(item) for item in value.values())
    if isinstance(value, list):
        return any(is_present(item) for item in value)
    return True
