"""A study's raw tables, read as text, checked, and reduced to what the study names."""
