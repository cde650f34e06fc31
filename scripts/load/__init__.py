"""The load test: questions from another process, more and more at once."""
