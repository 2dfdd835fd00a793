"""Whoever minds a session stops, starts and mutes its input."""
