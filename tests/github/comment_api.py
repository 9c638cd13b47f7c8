"""Operations on comments (`issues/*-comment*`) and on the reactions to them."""

from datetime import datetime

from tests.github import comment_shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found, page
from tests.github.comments import Comment, Conversation, comments_on

BODY_CHARACTERS = 65_536


async def create_comment(call: Call) -> Answer:
    conversation = find_conversation(call)
    comment = await conversation.add_comment(read_body(call), call.state.app_account, by_app=True)
    return Answer(comment_shapes.comment(comment), 201, {"Location": comment_shapes.comment(comment)["url"]})


async def update_comment(call: Call) -> Answer:
    comment = find_comment(call)
    await comment.change(read_body(call), call.state.app_account)
    return Answer(comment_shapes.comment(comment))


async def get_comment(call: Call) -> Answer:
    return Answer(comment_shapes.comment(find_comment(call)))


async def delete_comment(call: Call) -> Answer:
    await find_comment(call).remove(call.state.app_account)
    return Answer(None, 204)


async def list_comments(call: Call) -> Answer:
    conversation = find_conversation(call)
    found = comments_on(call.repository, conversation.number)
    if "since" in call.query:
        since = datetime.fromisoformat(call.query["since"])
        found = [comment for comment in found if datetime.fromisoformat(comment.updated_at) >= since]
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/issues/{conversation.number}/comments"
    items, headers = page(call, found, url)
    return Answer([comment_shapes.comment(comment) for comment in items], headers=headers)


async def create_reaction(call: Call) -> Answer:
    comment = find_comment(call)
    reaction, new = comment.react(call.body["content"], call.state.app_account)
    return Answer(comment_shapes.reaction(reaction, comment), 201 if new else 200)


async def list_reactions(call: Call) -> Answer:
    comment = find_comment(call)
    found = [r for r in comment.current if call.query.get("content") in (None, r.content)]
    url = f"{comment_shapes.comment(comment)['url']}/reactions"
    items, headers = page(call, found, url)
    return Answer([comment_shapes.reaction(reaction, comment) for reaction in items], headers=headers)


async def delete_reaction(call: Call) -> Answer:
    comment = find_comment(call)
    reaction = next((r for r in comment.current if r.id == call.path["reaction_id"]), None)
    if reaction is None:
        raise not_found()
    if reaction.user is not call.state.app_account:
        raise Refusal(403, "Resource not accessible by integration: the reaction is somebody else's")
    comment.current.remove(reaction)
    return Answer(None, 204)


def find_conversation(call: Call) -> Conversation:
    number = call.path["issue_number"]
    found = call.repository.pulls.get(number) or call.repository.issues.get(number)
    if found is None:
        raise not_found()
    return found


def find_comment(call: Call) -> Comment:
    comment = call.state.comments.get(call.path["comment_id"])
    if comment is None or comment.deleted_at or comment.repository is not call.repository:
        raise not_found()
    return comment


def read_body(call: Call) -> str:
    """The text of a comment. Raises `Refusal` (422) where GitHub takes none so short or so long."""
    body: str = call.body["body"]
    if not body.strip():
        raise Refusal(422, "Validation Failed: body cannot be blank")
    if len(body) > BODY_CHARACTERS:
        raise Refusal(422, f"Validation Failed: body is too long (maximum is {BODY_CHARACTERS} characters)")
    return body


OPERATIONS: dict[str, Handler] = {
    "issues/create-comment": create_comment,
    "issues/update-comment": update_comment,
    "issues/get-comment": get_comment,
    "issues/delete-comment": delete_comment,
    "issues/list-comments": list_comments,
    "reactions/create-for-issue-comment": create_reaction,
    "reactions/list-for-issue-comment": list_reactions,
    "reactions/delete-for-issue-comment": delete_reaction,
}
