"""The sessions of the local endpoint, without I/O: client messages in, server events out."""
