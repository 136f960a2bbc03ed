"""What is deployed."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from scim.local_host.deployment_package import deployed_files, write_package
from scim.local_host.place import PROJECT


def test_the_package_holds_the_app_and_nothing_that_only_development_needs(tmp_path: Path) -> None:
    write_package(tmp_path / "functions.zip")
    names = zipfile.ZipFile(tmp_path / "functions.zip").namelist()
    assert names == deployed_files()
    assert {name.partition("/")[0] for name in names} == {"function_app.py", "host.json", "requirements.txt", "scim"}
    assert {"scim/composition.py", "scim/triggers/scim.py"} < set(names)
    shown = [name for name in names if name.startswith("scim/portal/") and not name.endswith(".py")]
    assert {Path(name).suffix for name in shown} <= {".html", ".css", ".js", ".svg", ".toml"}
    others = set(names) - set(shown)
    assert not [name for name in others if not name.endswith((".py", ".json", ".txt"))]
    elsewhere = ("scim/local_host/", "scim/admin/", "scim/maintenance/")
    assert not [name for name in names if name.startswith(elsewhere)]


def test_equal_content_makes_an_equal_package(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_package(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_azure_installs_what_requirements_in_pins_and_nothing_without_a_hash() -> None:
    wanted = requirements("requirements.in")
    locked = requirements("requirements.txt")

    assert len(wanted) > 10
    assert wanted <= locked
    entries = re.split(r"^(?=\S)", (PROJECT / "requirements.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert not [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]


def requirements(name: str) -> set[tuple[str, str]]:
    """Return names and versions of a requirements file; run `make lock` when the two files differ."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    return set(re.findall(r"^([\w-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE))
