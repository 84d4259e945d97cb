"""Arrays or counts in, one result out: distances, tests, scores, intervals, multiplicity. No I/O, no policy."""
