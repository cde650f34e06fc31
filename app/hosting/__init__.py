"""Hosting: the service on a socket, in one process or several."""
