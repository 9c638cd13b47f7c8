"""`draftsman alerts`: the pages on what an administrator has to look after, also where there is no checkout."""

from __future__ import annotations

from draftsman.cli import terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError
from draftsman.resources import alert_pages


def alerts(name: str | None) -> int:
    """Print all names with what they stand for, or one page. Returns the exit code.

    Raises DraftsmanError where there is no such page. The name of the page's file serves, too.
    """
    pages = alert_pages()
    if name is None:
        shown, width = terminal.console(), max(map(len, Alert))
        for alert in Alert:
            shown.print(f"{alert:{width}}  {quoted(_title(pages[alert]))}")
        return 0
    meant = name.removeprefix("docs/alerts/").removesuffix(".md")
    if meant not in list(Alert):
        raise DraftsmanError(f"There is no alert {name!r}: `draftsman alerts` lists them.")
    print(pages[meant], end="")
    return 0


def _title(page: str) -> str:
    return page.split("\n", 1)[0].removeprefix("# ")
