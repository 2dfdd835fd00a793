"""The local endpoint as a server: HTTP, WebSocket, and the faults that it injects into a connection."""
