"""A session of the local endpoint, without I/O: client events in, server events out."""
