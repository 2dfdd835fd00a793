"""Benchmarks: figures as ratios between contenders of one run, because seconds of two machines do not compare."""
