"""The suite: every experiment's jobs, scheduled, kept, and resumed after a kill."""
