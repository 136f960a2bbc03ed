"""``python -m scim.local_host.deployment_package ZIP`` writes the files that are deployed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from scim.local_host.place import PROJECT

# One time for all files, so that equal content makes an equal package.
_TIME = (2020, 1, 1, 0, 0, 0)


def deployed_files(project: Path = PROJECT) -> list[str]:
    """Return the committed files that .funcignore lets through, by path in the project."""
    ignored = _git(project, "ls-files", "-z", "--cached", "--ignored", "--exclude-from=.funcignore")
    return sorted(_git(project, "ls-files", "-z", "--cached") - ignored)


def write_package(target: Path, project: Path = PROJECT) -> int:
    """Write the package, and return how many files it holds."""
    files = deployed_files(project)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files:
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o644 << 16
            package.writestr(entry, (project / path).read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)


def _git(project: Path, *arguments: str) -> set[str]:
    command = ["git", *arguments]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)  # noqa: S603
    return set(filter(None, listed.stdout.split("\0")))


if __name__ == "__main__":
    written = Path(sys.argv[1])
    sys.stdout.write(f"{written}: {write_package(written)} files\n")
