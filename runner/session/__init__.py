"""One conversation that is kept alive over its connections: all that the Python API needs."""
