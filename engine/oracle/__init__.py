"""Settling time as a measure of doubt: a competitive read-out that takes longer the closer the contest.

Arrays are sample-major: logits and activities (samples, classes), times and choices (samples,). Times are in ticks.
"""
