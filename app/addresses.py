"""Addresses of hosts, as far as it matters whether they are this machine's."""

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address is one by which a machine reaches itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
