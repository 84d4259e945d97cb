"""Who runs the counting SQL over Parquet. Only counts leave this room."""
