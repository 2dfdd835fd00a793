"""Tests of the way from a name to a profile."""
