"""``python -m scim.local_host.public_checks RUN_SH [TOOL …]`` runs the public SCIM checks against a fresh host.

What fails and is not in ``docs/conformance-waivers.tsv``, with the reason, makes it fail.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scim.local_host.place import PROJECT
from scim.local_host.started_host import started_host

WAIVERS = PROJECT / "docs" / "conformance-waivers.tsv"
_FAILURES_LEFT = 1
_DETAILS = "details: "


@dataclass(frozen=True, slots=True)
class Waiver:
    """A check that demands what the RFC does not."""

    tool: str
    pattern: re.Pattern[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One check that failed, and the reason why it may, or an empty one."""

    tool: str
    text: str
    reason: str


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """Return the waivers of a file: tool, pattern and reason, separated by tabs."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return [Waiver(tool, re.compile(pattern), reason) for tool, pattern, reason in (line.split("\t") for line in lines)]


def failures(folder: Path, waivers: Sequence[Waiver]) -> Iterator[Failure]:
    """Return what the tools' detail files in a folder report as failed."""
    for path in sorted(folder.glob("*.detail.txt")):
        tool = path.name.partition(".")[0]
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("FAIL"):
                known = (each.reason for each in waivers if each.tool == tool and each.pattern.search(line))
                yield Failure(tool, line.removeprefix("FAIL").strip(), next(known, ""))


def run_public_checks(script: str, tools: Sequence[str]) -> int:
    """Return 0 when every tool ran and nothing failed that is not waived."""
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        code, folder = run_script(["bash", script, ready["tenant_url"], ready["token"], *tools])
    return verdict(code, folder)


def verdict(code: int, folder: Path | None) -> int:
    """Return the exit code that a script's exit code and details come to, and show what failed."""
    if folder is None or code not in (0, _FAILURES_LEFT):
        sys.stdout.write("not every tool could run\n")
        return code or 1
    found = list(failures(folder, read_waivers()))
    for each in found:
        sys.stdout.write(f"{'WAIVED' if each.reason else 'FAILED'} {each.tool}: {each.text} {each.reason}\n")
    if code and not found:
        sys.stdout.write("a tool failed without saying where\n")
        return code
    return int(any(not each.reason for each in found))


def run_script(command: Sequence[str]) -> tuple[int, Path | None]:
    """Return the exit code, and the folder with the details that the script names; its output is shown."""
    folder = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if line.startswith(_DETAILS):
                folder = Path(line.removeprefix(_DETAILS).strip()).parent
    return process.returncode, folder


if __name__ == "__main__":
    sys.exit(run_public_checks(sys.argv[1], sys.argv[2:]))
