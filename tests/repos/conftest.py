"""The repositories under this folder are cases, not tests of ours."""

collect_ignore_glob = ["*"]
