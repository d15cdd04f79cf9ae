"""Figures: one function draws and describes each (caption, alternative text, n, keys of the estimates)."""
