"""Tests of the state from which another process goes on."""
