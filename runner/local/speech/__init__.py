"""The engines of the local endpoint, which detect, transcribe, answer and speak: rules, or models on this machine."""
