"""What the local endpoint hears, answers and speaks with: rules, or models on this machine."""
