"""Placeholders in exchanges: ``{rand}``, ``{uuid}``, ``{base}``, ``{i}``, ``{name.path}`` of a saved answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.exchanges.expectations import MISSING, value_at

_PLACEHOLDER = re.compile(r'\{([A-Za-z_][^{}"]*)\}')


@dataclass(slots=True)
class Placeholders:
    """What stands for placeholders in one exchange."""

    base: str
    saved: dict[str, Any] = field(default_factory=dict)
    """Answers by the name they were saved under."""
    constants: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.constants |= {"rand": uuid.uuid4().hex[:10], "uuid": str(uuid.uuid4()), "uuid2": str(uuid.uuid4())}
        self.constants["base"] = self.base

    def filled(self, value: Any, local: Mapping[str, Any] | None = None) -> Any:
        """Return a value with every placeholder replaced, and each ``{"$repeat": n, "item": …}`` of a list expanded."""
        local = local or {}
        if isinstance(value, str):
            return self._text(value, local)
        if isinstance(value, dict):
            return {self._text(name, local): self.filled(item, local) for name, item in value.items()}
        if isinstance(value, list):
            return list(self._items(value, local))
        return value

    def _items(self, items: list[Any], local: Mapping[str, Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, dict) and "$repeat" in item:
                for number in range(1, item["$repeat"] + 1):
                    yield self.filled(item["item"], {**local, "i": number})
            else:
                yield self.filled(item, local)

    def _text(self, text: str, local: Mapping[str, Any]) -> Any:
        text = text.replace("{i}", str(local["i"])) if "i" in local else text
        whole = _PLACEHOLDER.fullmatch(text)
        if whole is not None:
            value = self._value(whole[1])
            return text if value is MISSING else value
        return _PLACEHOLDER.sub(self._inserted, text)

    def _inserted(self, placeholder: re.Match[str]) -> str:
        value = self._value(placeholder[1])
        return placeholder[0] if value is MISSING else str(value)

    def _value(self, name: str) -> Any:
        if name in self.constants:
            return self.constants[name]
        saved, _, path = name.partition(".")
        if saved not in self.saved or not path:
            return MISSING
        value = value_at(self.saved[saved], path)
        assert value is not MISSING, f"the saved answer has no {name}"
        return value
