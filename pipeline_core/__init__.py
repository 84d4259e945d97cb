"""Pipeline Monitor: the machine learning pipeline from the door to the runbook."""
