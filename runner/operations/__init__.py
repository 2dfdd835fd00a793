"""Whoever minds a running process: the control socket, health and metrics, what they show and what they take."""
