"""Speaks GitHub and HTTP: receives deliveries, decides what they start, reports check runs."""
