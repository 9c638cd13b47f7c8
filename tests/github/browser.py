"""`python -m tests.github.browser URL [NAME=VALUE...]`: presses a page's button, and the next one's, to the end.

A browser for those who have none at hand: of each page it fills the first form with what the page proposes (or
with what is given), submits it, follows where that leads, and prints the last page's text.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import aiohttp

MOST_PAGES = 10


@dataclass
class Form:
    """A form: where it goes, how, and what it holds."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What a browser shows. `links` are where its links lead, in their order."""

    url: str
    status: int
    text: str
    form: Form | None
    links: tuple[str, ...]
    headers: Mapping[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.links: list[str] = []
        self.words: list[str] = []
        self._select: str | None = None
        self._option = False
        self._open = False
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form = Form(given.get("action", ""), given.get("method", "get"))
            self._open = True
        elif tag == "input" and self.form and self._open and "name" in given:
            self.form.values[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name")
        elif tag == "option":
            self._option = True
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "style":
            self._hidden = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False
        elif tag == "select":
            self._select = None
        elif tag == "option":
            self._option = False
        elif tag == "style":
            self._hidden = False

    def handle_data(self, data: str) -> None:
        if self._option and self._select and self.form:
            self.form.values.setdefault(self._select, data)
        elif data.strip() and not self._hidden:
            self.words.append(data.strip())


async def read(response: aiohttp.ClientResponse) -> Page:
    """The page of an answer."""
    reader = _Reader()
    reader.feed(await response.text())
    url = str(response.url)
    links = tuple(urljoin(url, link) for link in reader.links)
    return Page(url, response.status, " ".join(reader.words), reader.form, links, dict(response.headers))


async def visit(session: aiohttp.ClientSession, url: str) -> Page:
    """The page at this address."""
    async with session.get(url) as response:
        return await read(response)


async def submit(session: aiohttp.ClientSession, page: Page, given: Mapping[str, str] | None = None) -> Page:
    """The page that pressing the button of this page's form leads to."""
    if page.form is None:
        raise ValueError(f"{page.url} ({page.status}) has no form: {page.text}")
    values = page.form.values | dict(given or {})
    async with session.request(page.form.method, urljoin(page.url, page.form.action), data=values) as response:
        return await read(response)


async def press_on(url: str, given: Mapping[str, str]) -> Page:
    """The last page of those that begin at this address."""
    async with aiohttp.ClientSession() as session:
        page = await visit(session, url)
        for _ in range(MOST_PAGES):
            if page.form is None:
                break
            named = {name: value for name, value in given.items() if name in page.form.values}
            page = await submit(session, page, named)
        return page


def main() -> int:
    found = argparse.ArgumentParser(
        prog="python -m tests.github.browser", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("url")
    found.add_argument("given", nargs="*", metavar="NAME=VALUE", help="what a field is filled with")
    arguments = found.parse_args()
    page = asyncio.run(press_on(arguments.url, dict(one.split("=", 1) for one in arguments.given)))
    print(f"The browser shows: {page.text}")
    return 0 if page.status < 400 else 1


if __name__ == "__main__":
    sys.exit(main())
