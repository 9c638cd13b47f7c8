"""A stand-in for GitHub that keeps state, checks every request, and answers as GitHub would."""

from tests.github.checks import CheckRun
from tests.github.comments import Comment, Issue
from tests.github.git_repository import GitFile
from tests.github.installations import Installation
from tests.github.merge_queue import MergeGroup
from tests.github.pulls import Pull
from tests.github.repository import Repository
from tests.github.stand_in import GitHubStandIn

__all__ = [
    "CheckRun",
    "Comment",
    "GitFile",
    "GitHubStandIn",
    "Installation",
    "Issue",
    "MergeGroup",
    "Pull",
    "Repository",
]
