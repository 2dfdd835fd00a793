"""The local endpoint as a program: HTTP, WebSocket, and the bytes that its faults befall."""
