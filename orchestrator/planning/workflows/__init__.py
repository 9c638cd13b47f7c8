"""What the repository's own GitHub workflows run: evidence for commands and versions.

Read are the workflows that a change starts, and what they call: local actions, reusable workflows, recipes of a
Makefile or justfile, scripts. Commands are plain: all their words are known. What cannot be told is left out, so that
no command is ever misread; nothing is run, and no file outside of the commit is looked at.
"""

from __future__ import annotations

from orchestrator.planning.workflows.files import MAX_WORKFLOWS, is_workflow, workflow_reads
from orchestrator.planning.workflows.reader import read_workflows
from orchestrator.planning.workflows.seen import Job, Seen, Workflows

__all__ = ["MAX_WORKFLOWS", "Job", "Seen", "Workflows", "is_workflow", "read_workflows", "workflow_reads"]
