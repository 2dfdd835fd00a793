"""How far a session is, in a file from which another process goes on with it."""
