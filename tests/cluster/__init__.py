"""Real servers for tests and benchmarks: OpenSearch and PostgreSQL, as processes of their own."""
