"""Sight: what whoever runs the service sees of it: logs, changes, metrics and traces."""
