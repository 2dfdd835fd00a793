"""What becomes of what a session says: text, transcripts, recordings, a speaker, the journal."""
