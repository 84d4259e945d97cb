"""Is anything wrong: overview and drift."""
