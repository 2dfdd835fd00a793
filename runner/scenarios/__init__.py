"""Scenarios: whole conversations with a profile, and what is expected of it in each turn."""
