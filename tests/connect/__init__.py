"""Tests of the way from settings to an open connection."""
