"""The record of a session: its format, how it is read, and the timeline made of it."""
