"""What may go out: training, challenge, registry."""
