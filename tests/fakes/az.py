"""Stands in for the Azure CLI: takes only recorded commands and flags, answers as told, and keeps every call.

``AZ_STAGE`` names a folder with ``answers.json``: for a command a list of [exit code, output], used one by one, the
last of them from then on. A command without answers succeeds and says nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

RECORDED = Path(__file__).with_name("az_flags.json")
"""The commands that the project uses, and every flag that azure-cli 2.91.0 lists for them."""


def main(arguments: list[str]) -> int:
    words = arguments[: _first_flag(arguments)]
    command = " ".join(words)
    recorded: dict[str, list[str]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    if command not in recorded:
        return _refuse(f"'{command}' is not a recorded command")
    unknown = {word for word in arguments if word.startswith("-")} - set(recorded[command])
    if unknown:
        return _refuse(f"unrecognized arguments: {' '.join(sorted(unknown))}")
    stage = Path(os.environ["AZ_STAGE"])
    earlier = calls(stage)
    with (stage / "calls.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(arguments) + "\n")
    return _answer(stage, command, sum(" ".join(call).startswith(command) for call in earlier))


def calls(stage: Path) -> list[list[str]]:
    """Return the arguments of every call so far."""
    log = stage / "calls.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _answer(stage: Path, command: str, before: int) -> int:
    answers = json.loads((stage / "answers.json").read_text(encoding="utf-8")).get(command, [[0, ""]])
    code, output = answers[min(before, len(answers) - 1)]
    sys.stdout.write(output)
    return int(code)


def _first_flag(arguments: list[str]) -> int:
    return next((index for index, word in enumerate(arguments) if word.startswith("-")), len(arguments))


def _refuse(reason: str) -> int:
    sys.stderr.write(f"az: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
