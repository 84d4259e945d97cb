"""What came in: new models and batches."""
