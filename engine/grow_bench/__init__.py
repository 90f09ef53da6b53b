"""The grown graph beside its rivals, on streams whose equations are known."""
