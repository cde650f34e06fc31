"""Trusted proxies: the addresses whose word is taken on who asks, and from where."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


class TrustedProxies:
    """The networks that proxies of ours are in."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str | None) -> bool:
        """Whether the other end of a connection is such a proxy."""
        parsed = _parsed(address or "")
        return parsed is not None and any(parsed in network for network in self._networks)

    def client_address(self, peer: str | None, forwarded: Sequence[str]) -> str | None:
        """Where a request comes from, whose connection is from `peer`.

        `forwarded` are the values of X-Forwarded-For. Each proxy adds whom it was asked by, so the
        address is the last one that is no proxy of ours: what stands before it, anybody may write.
        """
        address = peer
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        while hops and self.trusts(address):
            hop = _parsed(hops.pop())
            if hop is None:
                break
            address = str(hop)
        return address


def network_from(text: str) -> Network:
    """A network, or the one address of a proxy. Raises ValueError with the remedy."""
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"«{text}» is no address and no network ({error}); write such as 10.0.0.4 or "
            "10.0.0.0/24, with commas between several"
        ) from error
    if network.prefixlen == 0:
        raise ValueError(
            f"«{text}» would take everybody's word on who they are; name the proxy's own address"
        )
    return network


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also with its port, as some proxies write it."""
    text = text.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
