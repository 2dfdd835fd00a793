"""What a profile may say: pydantic models, nothing else."""
