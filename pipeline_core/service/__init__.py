"""The process around the verbs: the table of verbs, the HTTP API, the worker and the host."""
