"""The one search that a careful App makes: has this person a merged pull request in this repository?"""

import re

from tests.github import comment_shapes
from tests.github.calls import Answer, Call, Handler, Refusal, page

TERMS = re.compile(r"(?P<key>repo|type|is|author):(?P<value>\S+)")


def read_query(text: str) -> dict[str, str]:
    """The terms of `repo:owner/name type:pr is:merged author:login`, in any order.

    Raises `Refusal` (422, a mistake) for any other query: the stand-in would answer it wrongly.
    """
    found = [TERMS.fullmatch(term) for term in text.split()]
    terms = {match["key"]: match["value"] for match in found if match}
    if None in found or len(found) != 4 or terms.keys() != {"repo", "type", "is", "author"}:
        raise Refusal(422, f"The stand-in understands repo:o/n type:pr is:merged author:login, not {text!r}")
    if (terms["type"], terms["is"]) != ("pr", "merged"):
        raise Refusal(422, f"The stand-in finds type:pr is:merged only, not {text!r}")
    return terms


async def search_pulls(call: Call) -> Answer:
    terms = read_query(call.query["q"])
    repository = call.state.repository(*terms["repo"].partition("/")[::2])
    author = call.state.accounts.get(terms["author"].lower())
    visible = repository and call.token and (not repository.private or call.token.covers(repository))
    if repository is None or author is None or not visible:
        message = (
            "The listed users and repositories cannot be searched either because the resources do not exist "
            "or you do not have permission to view them."
        )
        raise Refusal(422, message, mistake=False)
    merged = [pull for pull in repository.pulls.values() if pull.merged_at and pull.user is author]
    items, headers = page(call, merged[::-1], f"{call.state.addresses.api}/search/issues")
    body = {
        "total_count": len(merged),
        "incomplete_results": False,
        "search_type": "lexical",
        "items": [comment_shapes.issue(pull) | {"score": 1.0, "body": pull.body or ""} for pull in items],
    }
    return Answer(body, headers=headers)


OPERATIONS: dict[str, Handler] = {"search/issues-and-pull-requests": search_pulls}
