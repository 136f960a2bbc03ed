"""The maintenance command line: checks and mends a directory's rows, relays its events, fills one for measurements."""
