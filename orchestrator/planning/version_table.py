"""The releases that planning knows, newest first. Data: `tools/version_table.py` writes it anew.

Each row: the version as the image's tag has it, the end of its security fixes, whether it is a long-term release (or
as good as one), and its code name. Source: https://endoflife.date.
"""

AS_OF = "2026-11-23"
"""The day on which the table was made; it decides what counts as supported."""

PYTHON = (
    ("3.15", "2031-10-31", True, ""),
    ("3.14", "2030-10-31", True, ""),
    ("3.13", "2029-10-31", True, ""),
    ("3.12", "2028-10-31", True, ""),
    ("3.11", "2027-10-31", True, ""),
    ("3.10", "2026-10-31", True, ""),
    ("3.9", "2025-10-31", True, ""),
    ("3.8", "2024-10-07", True, ""),
    ("3.7", "2023-06-27", True, ""),
    ("3.6", "2021-12-23", True, ""),
)

NODE = (
    ("26", "2029-04-30", True, "lithium"),
    ("25", "2026-06-01", False, ""),
    ("24", "2028-04-30", True, "krypton"),
    ("23", "2025-06-01", False, ""),
    ("22", "2027-04-30", True, "jod"),
    ("21", "2024-06-01", False, ""),
    ("20", "2026-04-30", True, "iron"),
    ("19", "2023-06-01", False, ""),
    ("18", "2025-04-30", True, "hydrogen"),
    ("16", "2023-09-11", True, "gallium"),
    ("14", "2023-04-30", True, "fermium"),
)
