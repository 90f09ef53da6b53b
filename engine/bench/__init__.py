"""Timings side by side: the program's own ticks, their rivals and the read bandwidth, all measured in one run.

problem       one network in mid-flight, and the float64 reference of its next tick
contestants   what can be timed: anything with `tick` and `states`
floor         how fast this machine reads an array, the bound that no tick passes without caching less
timing        medians over interleaved rounds
rows          one row per contestant and problem
acceleration, lazy, scaling    the tables beside them
suite         all of it, with progress; report turns the result into tables
"""
