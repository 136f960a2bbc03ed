"""What the provisioning log says to an administrator: for each cause what happened, and what to do. Pure.

``{attribute}`` stands for the attribute of the finding; the resources of an entry are shown beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scim.directories.bearer_token import TokenMistake
from scim.resources.provisioning_log import Finding


@dataclass(frozen=True, slots=True)
class CauseWords:
    """One cause in words: a title of a few words, what happened, and what to do about it."""

    title: str
    explanation: str
    remedy: str


_NEW_TOKEN = "Rotate the token here, and paste the new one into Secret Token of your identity provider, then save."  # noqa: S105
_PASTE = "Copy the token again, and paste it into Secret Token of your identity provider, without the word Bearer."

_TOKEN_CAUSES: Mapping[TokenMistake, CauseWords] = {
    TokenMistake.MISSING: CauseWords("No token", "A request came without a token.", _PASTE),
    TokenMistake.EMPTY: CauseWords("Empty token", "A request came with an empty token.", _PASTE),
    TokenMistake.NOT_BEARER: CauseWords(
        "Not a bearer token",
        "A request came with another kind of authentication than a bearer token.",
        "Choose bearer authentication in your identity provider, and paste the token into Secret Token.",
    ),
    TokenMistake.BEARER_TWICE: CauseWords(
        "Bearer twice",
        'The token was pasted with the word "Bearer" in front, so that it was sent twice.',
        "Remove the word Bearer from Secret Token of your identity provider, and save.",
    ),
    TokenMistake.CUT_OFF: CauseWords(
        "Token cut off", "The token was cut off or altered when it was copied.", _PASTE + " Use the copy button."
    ),
    TokenMistake.ANOTHER_DIRECTORY: CauseWords(
        "Token of another directory",
        "The token belongs to another directory than the Tenant URL.",
        "Enter the Tenant URL and the token of the same directory.",
    ),
    TokenMistake.NOT_OUR_FORMAT: CauseWords(
        "Foreign token",
        "What was sent as the token is none that this service hands out.",
        "Paste the token of this directory into Secret Token; a password or the secret of an app does not work.",
    ),
    TokenMistake.UNRECOGNISED: CauseWords(
        "Unknown token",
        "The token has the right form, but is none that this directory remembers.",
        _NEW_TOKEN,
    ),
    TokenMistake.ENDED: CauseWords("Old token", "The token was replaced or revoked.", _NEW_TOKEN),
    TokenMistake.EXPIRED: CauseWords("Expired token", "The token has expired.", _NEW_TOKEN),
    TokenMistake.DISABLED_SECRET: CauseWords(
        "Disabled token", "The token was disabled or deleted in the vault that keeps it.", _NEW_TOKEN
    ),
    TokenMistake.DIRECTORY_DISABLED: CauseWords(
        "Directory disabled",
        "The token is right, but the directory is disabled.",
        "Ask the application's support to enable the directory.",
    ),
}

_REQUEST_CAUSES: Mapping[str, CauseWords] = {
    "user_name_taken": CauseWords(
        "userName taken",
        "Another user has this userName; letter case makes no difference.",
        "Give one of the two another userName, or delete the user that is no longer needed.",
    ),
    "group_name_taken": CauseWords(
        "Group name taken",
        "Another group has this displayName; letter case makes no difference.",
        "Rename one of the two groups, or delete the one that is no longer needed.",
    ),
    "unknown_member": CauseWords(
        "Unknown member",
        "A member that was to be added to the group is not known here.",
        "Assign the user or group to the enterprise application, so that it is provisioned before it becomes a member.",
    ),
    "resource_missing": CauseWords(
        "Not found",
        "The user or group of the request does not exist here, or no longer.",
        "Nothing, if it was deleted. Otherwise provision it again: Restart provisioning, or Provision on demand.",
    ),
    "wrong_type": CauseWords(
        "Value of another type",
        "{attribute} was stored as sent, but does not have the type of its attribute mapping; the application does "
        "not see it.",
        "Change the source or the expression in your identity provider, or the type of the mapping here.",
    ),
    "required_missing": CauseWords(
        "Required value missing",
        "{attribute} is marked as required here, and the user or group came without a value for it.",
        "Fill the source attribute in your identity provider, or mark the mapping here as not required.",
    ),
    "ignored": CauseWords(
        "Attribute ignored",
        "{attribute} was sent, and is never stored.",
        "Remove the attribute from the mappings of your identity provider.",
    ),
    "value_refused": CauseWords(
        "Value refused",
        "A value does not fit its attribute, or one that is required is missing.",
        "See the detail, and change the attribute's mapping in your identity provider.",
    ),
    "read_only": CauseWords(
        "Read-only attribute",
        "An attribute that cannot be changed was to be changed.",
        "Remove the attribute that the detail names from the mappings of your identity provider.",
    ),
    "path_refused": CauseWords(
        "Unknown path",
        "The path of a mapping is not understood.",
        "Correct the target attribute in the mappings of your identity provider as the detail says.",
    ),
    "filter_refused": CauseWords(
        "Search not understood",
        "A search by an attribute is not understood.",
        "Use userName, externalId or a work e-mail as the matching attribute of users, and displayName of groups.",
    ),
    "body_refused": CauseWords(
        "Request not understood",
        "The body of a request is not what SCIM asks for.",
        "See the detail; if your identity provider made the request, tell the application's support.",
    ),
    "address_refused": CauseWords(
        "Wrong address",
        "A request went to an address or with a method that this service does not have.",
        "Check that Tenant URL is exactly the one shown here.",
    ),
    "too_large": CauseWords(
        "Too large", "A request or a resource is larger than what is stored.", "Map fewer or shorter attributes."
    ),
    "too_much": CauseWords(
        "Too much to read",
        "Answering a search would have taken too long.",
        "Use userName, externalId or a work e-mail as the matching attribute of users, and displayName of groups.",
    ),
    "version_changed": CauseWords(
        "Changed meanwhile",
        "The user or group was changed by another request meanwhile.",
        "Nothing: the identity provider repeats the request.",
    ),
    "unavailable": CauseWords(
        "Out of service",
        "The service could not answer for the moment.",
        "Nothing: the identity provider repeats the request. Tell the application's support if it lasts.",
    ),
    "failure": CauseWords(
        "Failure of the service",
        "The request failed for a reason on our side, which was logged.",
        "Tell the application's support if it happens again.",
    ),
    "refused": CauseWords("Refused", "The request was refused.", "See the detail."),
}

TOKEN_PREFIX = "token_"  # noqa: S105 - how causes begin that are about tokens
CAUSES: Mapping[str, CauseWords] = {
    **{TOKEN_PREFIX + mistake: words for mistake, words in _TOKEN_CAUSES.items()},
    **_REQUEST_CAUSES,
}
"""Every cause by its name, which does not change: programs may go by it."""


def words_of(finding: Finding) -> CauseWords:
    """Return what to say of a finding."""
    words = CAUSES.get(finding.cause, CAUSES["refused"])
    explanation = words.explanation.replace("{attribute}", finding.attribute or "An attribute")
    return CauseWords(words.title, explanation, words.remedy)
