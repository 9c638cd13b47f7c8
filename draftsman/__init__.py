"""Draftsman: pull-request checks that set themselves up."""

__version__ = "0.1.0"
