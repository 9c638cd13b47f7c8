"""The rules that belong to no single ecosystem."""

from __future__ import annotations
