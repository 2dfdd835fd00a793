"""The input of a session: standard input, a chat, files, a microphone."""
