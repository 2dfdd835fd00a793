"""Whoever minds a running process: the control socket, what it shows and what it takes."""
