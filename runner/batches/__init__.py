"""Batches: one session a row of a file, each with a line of its own in a file of results."""
