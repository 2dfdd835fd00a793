"""From settings to an open connection: secrets, credentials, address, and the WebSocket transport."""
