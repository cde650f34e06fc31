"""The index engine over an OpenSearch cluster: see docs/scaling.md."""
