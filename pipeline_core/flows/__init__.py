"""The verbs: load, compute, save, return a record. The only room that joins stages, sources, engines and store."""
