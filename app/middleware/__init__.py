"""What stands around every route: each module is one ASGI middleware."""
