"""The sample's tests run in the demo's containers, not here."""

collect_ignore_glob = ["sample/*"]
