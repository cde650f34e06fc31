"""Moments as the service's records hold them."""

from datetime import UTC, datetime


def now() -> str:
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    """ISO 8601, with the whole and the part of a second always, so that it sorts as text."""
    return moment.isoformat(timespec="microseconds")
