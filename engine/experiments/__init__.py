"""Experiments, a module each: TITLE, QUESTION, jobs(quick), run(**job) -> rows, figure(rows, axes)."""
