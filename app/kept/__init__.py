"""Kept: what is kept of questions, answers and conversations, and for how long."""
