"""Tests of runner.batches."""
