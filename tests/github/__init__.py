"""A stand-in for GitHub that keeps state, checks every request, and answers as GitHub would."""

from tests.github.git_repository import GitFile
from tests.github.repository import Pull, Repository
from tests.github.stand_in import GitHubStandIn

__all__ = ["GitFile", "GitHubStandIn", "Pull", "Repository"]
