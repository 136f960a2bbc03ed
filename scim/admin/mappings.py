"""Commands on the attribute mappings of a directory."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import get_args

from scim.admin.command import Command, argument
from scim.admin.mapping_files import read_mapping_file
from scim.admin.result import Listed
from scim.composition import Application
from scim.directories.attribute_mapping import AttributeMapping, MappedResource, MappingType
from scim.directories.directory import Directory
from scim.directories.errors import InvalidValueError
from scim.resources.mapping_rules import require_valid_mappings

_COLUMNS = ("name", "path", "type", "multi_valued", "required", "matching", "resource", "description")


async def _list(application: Application, options: Namespace) -> Listed:
    return _listed(await application.directories.get_directory(options.directory))


async def _set(application: Application, options: Namespace) -> Listed:
    mappings = read_mapping_file(options.file)
    return _listed(await application.directories.update_directory(options.directory, mappings=mappings))


async def _add(application: Application, options: Namespace) -> Listed:
    new = AttributeMapping(
        name=options.name,
        path=options.path,
        type=options.type,
        multi_valued=options.multi_valued,
        required=options.required,
        matching=options.matching,
        description=options.description,
        resource=options.resource,
    )

    def added(old: Sequence[AttributeMapping]) -> Sequence[AttributeMapping]:
        mappings = old if new in old else (*old, new)
        require_valid_mappings(mappings)
        return mappings

    return _listed(await application.directories.update_directory(options.directory, mappings=added))


async def _remove(application: Application, options: Namespace) -> Listed:
    def is_meant(mapping: AttributeMapping) -> bool:
        return (mapping.resource, mapping.name.lower()) == (options.resource, options.name.lower())

    directory = await application.directories.get_directory(options.directory)
    if not any(map(is_meant, directory.attribute_mappings)):
        raise InvalidValueError("name", f"the directory has no mapping {options.name!r} of {options.resource}")
    changed = await application.directories.update_directory(
        directory.id, mappings=lambda old: [mapping for mapping in old if not is_meant(mapping)]
    )
    return _listed(changed)


def _listed(directory: Directory) -> Listed:
    return Listed("attribute mappings", _COLUMNS, [mapping.to_json() for mapping in directory.attribute_mappings])


_DIRECTORY = argument("directory", metavar="DIRECTORY", help="its id, dir_…")
_NAME = argument("name", metavar="NAME", help="the attribute's name in the application")
_RESOURCE = argument("--resource", choices=get_args(MappedResource), default="User", help="default: User")
COMMANDS = (
    Command("mappings", "list", "list the attribute mappings of a directory", _list, (_DIRECTORY,)),
    Command(
        "mappings",
        "set",
        "replace all mappings by those of a file",
        _set,
        (_DIRECTORY, argument("file", metavar="FILE", help="a JSON list; - reads standard input")),
    ),
    Command(
        "mappings",
        "add",
        "add one mapping",
        _add,
        (
            _DIRECTORY,
            _NAME,
            argument("path", metavar="PATH", help="a core path, or an extension's URN and attribute"),
            argument("--type", choices=get_args(MappingType), default="string", help="default: string"),
            argument("--multi-valued", action="store_true", help="it has several values"),
            argument("--required", action="store_true", help="its absence is reported"),
            argument("--matching", action="store_true", help="filters on it are answered quickly"),
            argument("--description", default="", metavar="TEXT"),
            _RESOURCE,
        ),
    ),
    Command("mappings", "remove", "remove one mapping", _remove, (_DIRECTORY, _NAME, _RESOURCE)),
)
