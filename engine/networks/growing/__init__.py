"""Graphs of small sparse networks that grow and shed structure on evidence, under hard budgets."""
