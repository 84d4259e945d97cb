"""What do I do: alerts."""
