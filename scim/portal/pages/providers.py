"""Configure: makes a directory for a provider, and shows its endpoint and its token once, in the answer itself."""

from __future__ import annotations

from scim.directories.directory import Directory, Provider
from scim.directories.errors import DirectoryDeletingError, DirectoryNotFoundError, InvalidValueError, TokenEndedError
from scim.directories.organization import MAX_NAME_LENGTH
from scim.portal.guide import ProviderGuide, guide
from scim.portal.problems import not_found
from scim.portal.proofs import ProofPurpose
from scim.portal.rendering import page
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

_PURPOSE: ProofPurpose = "portal: id of a new directory"


async def show_configure(visit: Visit) -> WebResponse:
    """Return the form that makes a directory. It carries the new directory's id, so that sending it twice makes one."""
    return await _form(visit, _provider(visit, visit.path["provider"]))


async def _form(visit: Visit, provider: ProviderGuide, name: str = "", problem: str = "") -> WebResponse:
    new_id = visit.services.new_id()
    return page(
        visit,
        "configure.html",
        status=422 if problem else 200,
        provider=provider,
        name=name or provider.name,
        longest=MAX_NAME_LENGTH,
        new_id=new_id,
        proof=await visit.proof(_PURPOSE, new_id),
        problem=problem,
    )


async def configure(visit: Visit) -> WebResponse:
    """Return the new directory's endpoint and token; when the form was sent before, the endpoint alone."""
    provider = _provider(visit, visit.form.get("provider", ""))
    new_id = visit.form.get("new_id", "")
    await visit.require_proof(_PURPOSE, new_id)
    before = await _existing(visit, f"dir_{new_id}")
    if before is not None and before.deletion is not None:
        raise DirectoryDeletingError(before.id)
    if before is not None:
        return _connected(visit, provider, before, "")
    try:
        made = await visit.services.directories.create_directory(
            visit.organization_id, name=visit.form.get("name", ""), provider=provider.id, creation_id=new_id
        )
    except InvalidValueError as error:
        problem = str(error).partition(": ")[2]
        return await _form(visit, provider, visit.form.get("name", ""), problem)
    except TokenEndedError:  # the form was sent twice at once, and the other answer shows the token
        before = await _existing(visit, f"dir_{new_id}")
        if before is None:
            raise
        return _connected(visit, provider, before, "")
    return _connected(visit, provider, made.directory, made.token)


async def _existing(visit: Visit, directory_id: str) -> Directory | None:
    """Return the directory of an id; one of another organization looks like nothing that can be made or shown."""
    try:
        found = await visit.services.directories.get_directory(directory_id)
    except DirectoryNotFoundError:
        return None
    if found.organization_id != visit.organization_id:
        raise not_found()
    return found


def _connected(visit: Visit, provider: ProviderGuide, made: Directory, token: str) -> WebResponse:
    return page(visit, "connected.html", provider=provider, made=made, token=token, status=201 if token else 200)


def _provider(visit: Visit, provider_id: str) -> ProviderGuide:
    """Return a provider that may be connected; a link that opens one directory alone opens none."""
    chosen: dict[str, Provider] = {each.id: each.id for each in guide().providers}
    if provider_id not in chosen or visit.session.directory_id is not None:
        raise not_found()
    return guide().of(chosen[provider_id])


PAGES = (
    Page("show_configure", "GET", "/providers/{provider}", show_configure),
    Page("configure", "POST", "/directories", configure),
)
