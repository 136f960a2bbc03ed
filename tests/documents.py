"""The project's documents as tests read them: headings with their anchors, links, code blocks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent

PROJECT = Path(__file__).parents[1]

_FENCE = re.compile(r"^ *(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^ *(?P=fence)\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_IMAGE = re.compile(r"!\[(?P<alternative>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Document:
    """A Markdown file of the project."""

    path: Path

    @property
    def name(self) -> str:
        """The path in the project."""
        return self.path.relative_to(PROJECT).as_posix()

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without code blocks, in which a line may look like a heading or a link."""
        return _FENCE.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        """The titles of all headings, in order."""
        return [match["title"] for match in _HEADING.finditer(self.prose)]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """What a link may name behind ``#``: the headings as GitHub makes anchors of them."""
        seen: Counter[str] = Counter()
        found = set()
        for title in self.headings:
            anchor = _anchor(title)
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
        return frozenset(found)

    @property
    def links(self) -> list[str]:
        """The targets of all links and images."""
        return [match["target"] for match in _LINK.finditer(_CODE.sub("", self.prose))]

    @property
    def images(self) -> dict[str, str]:
        """The alternative texts of all images, by target."""
        return {match["target"]: match["alternative"] for match in _IMAGE.finditer(self.prose)}

    @property
    def code(self) -> list[str]:
        """What stands between backticks in the prose."""
        return _CODE.findall(self.prose)

    @property
    def lines(self) -> list[str]:
        """The lines of the prose."""
        return self.prose.splitlines()

    def section(self, title: str) -> str:
        """Return the text under a heading, up to the next heading of any level."""
        _, _, behind = self.text.partition(f"# {title}\n")
        return re.split(r"^#", behind, maxsplit=1, flags=re.MULTILINE)[0]

    def blocks(self, language: str) -> list[str]:
        """Return the code blocks of a language."""
        return [dedent(match["text"]) for match in _FENCE.finditer(self.text) if match["language"] == language]


def project_documents() -> list[Document]:
    """Return every document that a reader of the project meets."""
    roots = sorted(PROJECT.glob("*.md"))
    return [Document(path) for path in [*roots, *sorted((PROJECT / "docs").rglob("*.md"))]]


def document(name: str) -> Document:
    """Return a document by its path in the project."""
    return Document(PROJECT / name)


def _anchor(title: str) -> str:
    plain = _NOT_IN_ANCHOR.sub("", title.replace("`", "").lower())
    return plain.replace(" ", "-")
