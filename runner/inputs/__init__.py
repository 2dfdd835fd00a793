"""What is fed to a session: standard input, a chat, files, a microphone."""
