"""How the portal presents the application: name, logo, and whom to ask."""

from __future__ import annotations

from dataclasses import dataclass

from scim.settings import PORTAL_LOGO, PortalSettings, SettingsError

MAX_LOGO_BYTES = 32 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Branding:
    """What every page shows of the application."""

    name: str
    support: str = ""
    """An e-mail address or an https address; empty for nobody named."""
    logo: bytes = b""
    """A PNG; empty for the name alone."""

    @property
    def support_address(self) -> str:
        """Where the support contact leads: an address for a link, empty for nobody named."""
        return f"mailto:{self.support}" if "@" in self.support else self.support


def read_branding(settings: PortalSettings) -> Branding:
    """Return the branding of the settings, with the logo read.

    :raises SettingsError: When the logo cannot be read, is no PNG, or is too large.
    """
    if settings.logo is None:
        return Branding(settings.name, settings.support)
    try:
        logo = settings.logo.read_bytes()
    except OSError as error:
        raise SettingsError(PORTAL_LOGO, "cannot be read: write the path of a PNG file") from error
    if not logo.startswith(_PNG) or len(logo) > MAX_LOGO_BYTES:
        raise SettingsError(PORTAL_LOGO, f"must be a PNG file of at most {MAX_LOGO_BYTES // 1024} KiB")
    return Branding(settings.name, settings.support, logo)
