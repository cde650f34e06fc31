"""Whose word is taken on where a request comes from, and on who asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app.access.callers import Role
from app.access.errors import NotAllowedError
from app.access.people import EVERYBODY, Grant, People
from app.access.proxies import TrustedProxies, network_from

PROXIES = TrustedProxies([network_from("10.0.0.0/24"), network_from("2001:db8::4")])


@pytest.mark.parametrize(
    "address", ["10.0.0.4", "10.0.0.255", "::ffff:10.0.0.4", "2001:db8::4", "2001:0db8:0::4"]
)
def test_trusted(address: str) -> None:
    assert PROXIES.trusts(address)


@pytest.mark.parametrize("address", ["10.0.1.4", "::ffff:10.0.1.4", "2001:db8::5", "", None, "x"])
def test_not_trusted(address: str | None) -> None:
    assert not PROXIES.trusts(address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("10.0.0.4", [], "10.0.0.4"),
        ("10.0.0.4", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.4", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.4", ["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        ("10.0.0.4", ["198.51.100.1, 192.0.2.7, 10.0.0.5"], "192.0.2.7"),
        ("10.0.0.4", ["10.0.0.6, 10.0.0.5"], "10.0.0.6"),
        ("10.0.0.4", ["198.51.100.1, unknown"], "10.0.0.4"),
        ("10.0.0.4", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.4", ['"[2001:db8::9]:4711"'], "2001:db8::9"),
        ("::ffff:10.0.0.4", ["192.0.2.7"], "192.0.2.7"),
        (None, ["192.0.2.7"], None),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert PROXIES.client_address(peer, forwarded) == expected


@given(st.lists(st.text()))
def test_nobody_chooses_their_own_address(made_up: list[str]) -> None:
    assert PROXIES.client_address("192.0.2.7", made_up) == "192.0.2.7"
    assert PROXIES.client_address("10.0.0.4", [*made_up, "192.0.2.7"]) == "192.0.2.7"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_the_whole_world_is_not_trusted(network: str) -> None:
    with pytest.raises(ValueError, match="everybody's word"):
        network_from(network)


GRANTS = {
    "ansatte": Grant(role="read"),
    "arkiv": Grant(role="write", collections=("arkiv",)),
    "personal": Grant(role="write", collections=("personal",)),
    "drift": Grant(role="admin"),
}


def people(**grants: Grant) -> People:
    return People("X-Forwarded-User", "X-Forwarded-Groups", GRANTS | grants)


def person(groups: str, name: str = "kari") -> Headers:
    return Headers({"x-forwarded-user": name, "x-forwarded-groups": groups})


def test_a_person_is_a_caller() -> None:
    caller = people().person(person("ansatte, gjester"))
    assert caller is not None
    assert (caller.id, caller.name) == ("user:kari", "kari")
    assert (caller.role, caller.collections) == (Role.READ, None)


def test_the_highest_role_counts_with_its_own_collections() -> None:
    caller = people().person(person("ansatte,arkiv,personal"))
    assert caller is not None
    assert caller.role is Role.WRITE
    assert caller.collections == frozenset({"arkiv", "personal"})
    admin = people().person(person("arkiv,drift"))
    assert admin is not None
    assert (admin.role, admin.collections) == (Role.ADMIN, None)


def test_everybody_is_in_a_group() -> None:
    caller = people(**{EVERYBODY: Grant(role="read", collections=("felles",))}).person(person(""))
    assert caller is not None
    assert caller.collections == frozenset({"felles"})


@pytest.mark.parametrize("groups", ["", "gjester", "ANSATTE", "*", "ansatte2"])
def test_who_is_in_no_group_may_do_nothing(groups: str) -> None:
    with pytest.raises(NotAllowedError, match="KILDESVAR_GROUPS"):
        people().person(person(groups))


def test_without_a_name_there_is_nobody() -> None:
    assert people().person(Headers({"x-forwarded-groups": "drift"})) is None
    assert people().person(person("drift", "  ")) is None


def test_names_are_utf_8_as_proxies_send_them() -> None:
    sent = "Åse Øygard".encode().decode("latin-1")
    caller = people().person(person("ansatte", sent))
    assert caller is not None
    assert caller.name == "Åse Øygard"


@pytest.mark.parametrize("name", ["a" * 76, "a\x1bb"])
def test_a_name_that_cannot_be_kept_is_refused(name: str) -> None:
    with pytest.raises(NotAllowedError, match="KILDESVAR_USER_HEADER"):
        people().person(person("ansatte", name))
