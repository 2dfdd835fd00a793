"""The sessions of one command: start, signals, budget, drain, exit code."""
