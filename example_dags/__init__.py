"""DAGs to copy from; each is run against the sandbox by a test."""
