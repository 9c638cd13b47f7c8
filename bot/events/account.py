"""Events about where the App is installed, and what its repositories are called. Pure."""

from __future__ import annotations

from bot.events.common import repository_of
from bot.events.decision import Decision, InstallationNote, RepositoryNote, Rules, TaskKind, nothing
from bot.payload import Payload, at, full_name, identifier, text
from draftsman.store.tasks import TaskWanted


def installation(payload: Payload, rules: Rules) -> Decision:
    """Decide about the App's installation on an account."""
    action = text(payload, "action")
    note = _note(payload)
    if action == "deleted":
        gone = InstallationNote(note.id, note.account, note.account_id, removed=True)
        return Decision(f"the App was removed from {note.account}", notes=(gone,))
    if action in ("suspend", "unsuspend"):
        changed = InstallationNote(note.id, note.account, note.account_id, suspended=action == "suspend")
        return Decision(f"the installation on {note.account}: {action}", notes=(changed,))
    if action == "created":
        fresh = InstallationNote(note.id, note.account, note.account_id, suspended=False, removed=False)
        return Decision(f"the App was installed on {note.account}", notes=(fresh,), tasks=(_contact(note.id, None),))
    return Decision(f"the installation on {note.account} is noted", notes=(note,))


def installation_repositories(payload: Payload, rules: Rules) -> Decision:
    """Decide about repositories that came to an installation, or left it."""
    note = _note(payload)
    added = at(payload, "repositories_added")
    names = [name for item in added if (name := _name(item))] if isinstance(added, list) else []
    if text(payload, "action") != "added" or not names:
        return Decision(f"the installation on {note.account} has fewer repositories", notes=(note,))
    said = f"the App was installed on {len(names)} more of {note.account}"
    return Decision(said, notes=(note,), tasks=(_contact(note.id, names[:1000]),))


def _name(item: object) -> str | None:
    found = item.get("full_name") if isinstance(item, dict) else None
    return found if isinstance(found, str) else None


def _note(payload: Payload) -> InstallationNote:
    return InstallationNote(
        identifier(payload, "installation.id"),
        text(payload, "installation.account.login"),
        identifier(payload, "installation.account.id"),
    )


def _contact(installation_id: int, names: list[str] | None) -> TaskWanted:
    detail = {"installation_id": installation_id, "repositories": names}
    return TaskWanted(TaskKind.FIRST_CONTACT, f"installation:{installation_id}", detail)


def repository(payload: Payload, rules: Rules) -> Decision:
    """Decide about a repository that has another name, owner or default branch, or is gone."""
    action = text(payload, "action")
    found = repository_of(payload, rules)
    if action == "deleted":
        return Decision(f"{found.full_name} is gone", notes=(RepositoryNote(found, gone=True),))
    return Decision(f"{found.full_name} is noted", notes=(RepositoryNote(found, formerly=_former_name(payload)),))


def _former_name(payload: Payload) -> str | None:
    """Return what a repository was called before it got another name or owner."""
    owner, _, name = full_name(payload, "repository.full_name").partition("/")
    old_owner = at(payload, "changes.owner.from.user.login") or at(payload, "changes.owner.from.organization.login")
    old_name = at(payload, "changes.repository.name.from")
    if not isinstance(old_owner or "", str) or not isinstance(old_name or "", str) or not (old_owner or old_name):
        return None
    return f"{old_owner or owner}/{old_name or name}"


def ping(payload: Payload, rules: Rules) -> Decision:
    """Decide about GitHub's greeting."""
    return nothing("GitHub says hello")
