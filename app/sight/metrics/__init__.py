"""Metrics: what happens in the service, counted, in the form that Prometheus reads."""
