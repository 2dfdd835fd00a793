"""The Realtime protocol without I/O: events, state, conversation, usage, severity of errors."""
