"""What every body, query and answer of the API has in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

MAX_LIMIT, DEFAULT_LIMIT = 100, 20
MAX_CURSOR_LENGTH = 1000
CURSOR_FORM: Final[dict[str, Any]] = {"pattern": "^[0-9A-Za-z_-]*$"}
"""Of what a cursor is made, for the document; anything else is refused in words of our own."""

Item = TypeVar("Item")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _written_out(value: object) -> object:
    """Refuse numbers, and digits alone such as a year, which would be seconds since 1970."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise PydanticCustomError("datetime_text", "no date")
    return value


# What a validator was given first is no JSON any more, and a strict model would take no text for a time.
Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""A time of a caller, with its offset; used in UTC."""


class Body(BaseModel):
    """The body of a request: JSON types as they are, and nothing that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Query(BaseModel):
    """Query parameters, which are texts; nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


class ListQuery(Query):
    """Which page of a list."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many entries to return at most.")
    after: str = Field(
        "",
        max_length=MAX_CURSOR_LENGTH,
        description="The cursor `list_metadata.after` of the page before.",
        json_schema_extra=CURSOR_FORM,
    )


class Answer(BaseModel):
    """The body of an answer."""


class ListMetadata(Answer):
    """Where a list goes on."""

    before: None = Field(description="Always null: lists are read forwards.")
    after: str | None = Field(description="The cursor of the next page; null on the last one.")


class Page(Answer, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    list_metadata: ListMetadata


class FieldProblem(Answer):
    """What is wrong with one field of the body, or with one query parameter."""

    field: str
    detail: str


class ProblemDetails(Answer):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="A name for programs.")
    title: str
    status: int
    detail: str = Field(description="What to change, for people.")
    errors: list[FieldProblem] = Field(default_factory=list, description="Only in a 422.")
