"""The terminal of a run: one thread draws all that is shown there and reads the keyboard at all times."""
