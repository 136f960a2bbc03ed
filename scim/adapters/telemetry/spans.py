"""Spans of calls to the outside world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue


@contextmanager
def call_span(
    tracer: Tracer, name: str, attributes: Mapping[str, AttributeValue], *, answers: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Open the span of a call; of an error it keeps the class alone, since a message may hold what was sent.

    :param answers: Errors that are answers: nothing failed when one of them is raised.
    """
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            if not isinstance(error, answers):
                span.set_status(StatusCode.ERROR)
            raise
