"""Tests of the local endpoint."""
