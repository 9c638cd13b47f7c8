"""Whose repositories this instance serves. Pure."""

from __future__ import annotations

from draftsman.domain.admission import Admission
from draftsman.store.installations import Installation


def refusal(admission: Admission, full_name: str, installation: Installation | None) -> str:
    """Return why the repository is not served, as a title for its checks; empty where it is.

    `installation` is the App's on the repository, None where none is known.
    """
    owner = full_name.partition("/")[0]
    names = {full_name.lower(), owner.lower(), "*"}
    if names & set(admission.deny):
        return f"this Draftsman does not serve {full_name}"
    if names & set(admission.allow):
        return ""
    if admission.allow:
        return f"this Draftsman does not serve {full_name}"
    if installation is None or installation.state == "pending":
        return f"nothing was run: the administrator of this Draftsman has not approved its installation on {owner} yet"
    return "" if installation.state == "approved" else f"this Draftsman does not serve {owner}"
