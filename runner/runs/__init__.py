"""Keeping a session alive and ending it well: signals, drain, notices to the service manager."""
