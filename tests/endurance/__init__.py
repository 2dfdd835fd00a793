"""Trials of what a session lives through: faults, rollovers, crowds and time."""
