"""Which attribute of Entra ID an attribute of SCIM usually comes from. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from scim.resources.schema import ENTERPRISE_URN

_SOURCES: Mapping[str, str] = {
    "username": "userPrincipalName",
    "externalid": "objectId or mailNickname",
    "displayname": "displayName",
    "name.givenname": "givenName",
    "name.familyname": "surname",
    'emails[type eq "work"].value': "mail",
    'phonenumbers[type eq "work"].value': "telephoneNumber",
    'phonenumbers[type eq "mobile"].value': "mobile",
    'addresses[type eq "work"].locality': "city",
    'addresses[type eq "work"].country': "country",
    'addresses[type eq "work"].postalcode': "postalCode",
    'addresses[type eq "work"].region': "state",
    'addresses[type eq "work"].streetaddress': "streetAddress",
    "title": "jobTitle",
    "preferredlanguage": "preferredLanguage",
    f"{ENTERPRISE_URN}:employeenumber".lower(): "employeeId",
    f"{ENTERPRISE_URN}:department".lower(): "department",
    f"{ENTERPRISE_URN}:manager.value".lower(): "manager",
    f"{ENTERPRISE_URN}:costcenter".lower(): "employeeOrgData.costCenter",
    f"{ENTERPRISE_URN}:division".lower(): "employeeOrgData.division",
    f"{ENTERPRISE_URN}:organization".lower(): "companyName",
}


def source_hint(path: str) -> str:
    """Return the name in Entra ID, of a custom attribute the form of such names, empty where nothing is usual."""
    known = _SOURCES.get(path.lower())
    if known is None and path.lower().startswith("urn:") and not path.lower().startswith(ENTERPRISE_URN.lower()):
        return f"extension_<app id>_{path.rpartition(':')[2]}, or any other"
    return known or ""
