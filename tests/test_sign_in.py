"""Sign-in for the pages, by a key or at a proxy: who gets in, who does not, and how it ends."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from app.access.authentication import Authenticator
from app.access.callers import Role
from app.access.keys import Keys
from app.access.sessions import COOKIE
from app.assembly import Kildesvar
from tests.guarding import PROXY, browser_at, guarded

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
KARI = {"X-Forwarded-User": "kari", "X-Forwarded-Groups": "ansatte"}


@pytest.fixture(scope="module")
def service(kildesvar: Kildesvar) -> FastAPI:
    return guarded(
        kildesvar,
        trusted_proxies=PROXY,
        groups='{"ansatte": "read", "drift": {"role": "admin"}}',
        session_hours=3,
    )


@pytest.fixture
def browser(service: FastAPI) -> Iterator[TestClient]:
    yield browser_at(service)


@pytest.fixture(scope="module")
def key(kildesvar: Kildesvar) -> str:
    return Keys(kildesvar.library).create("Lesesalen", Role.READ)[1]


def sign_in(browser: TestClient, key: str, **headers: str) -> Response:
    return browser.post("/sign-in", json={"key": key}, headers=OWN_PAGE | headers)


def who(browser: TestClient, **headers: str) -> Any:
    response = browser.get("/v1/caller", headers=headers)
    return response.json() if response.status_code == 200 else response.status_code


def test_a_key_becomes_a_cookie_that_no_script_sees(browser: TestClient, key: str) -> None:
    assert who(browser) == 401
    signed_in = sign_in(browser, f" {key}\n")
    assert signed_in.status_code == 204
    said = signed_in.headers["Set-Cookie"]
    assert re.fullmatch(
        rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Max-Age=10800; Path=/; SameSite=strict", said
    )
    assert key not in said
    assert who(browser) == {
        "name": "Lesesalen",
        "role": "read",
        "collections": None,
        "signed_in": True,
    }


def noted(kildesvar: Kildesvar, since: int) -> list[tuple[str, str, str]]:
    """What came into the audit log after its first `since` entries, oldest first."""
    entries = kildesvar.audit.entries()[: kildesvar.audit.count() - since]
    return [(entry.action, entry.name, entry.subject) for entry in reversed(entries)]


def test_signing_in_again_ends_the_session_before(
    service: FastAPI, browser: TestClient, kildesvar: Kildesvar, key: str
) -> None:
    other, other_key = Keys(kildesvar.library).create("Skranken", Role.READ)
    sign_in(browser, key)
    former = browser_at(service)
    former.cookies.update(browser.cookies)
    assert who(former)["name"] == "Lesesalen"
    before = kildesvar.audit.count()
    assert sign_in(browser, other_key).status_code == 204
    assert who(browser)["name"] == "Skranken"
    assert who(former) == 401
    assert noted(kildesvar, before) == [
        ("sign-out.succeeded", "Lesesalen", key.split("_")[1]),
        ("sign-in.succeeded", "Skranken", other.id),
    ]
    former.cookies.clear()
    former.cookies.set(COOKIE, "made-up")
    assert sign_in(former, key).status_code == 204


def test_another_browser_is_not_signed_in(service: FastAPI, browser: TestClient, key: str) -> None:
    sign_in(browser, key)
    assert who(browser_at(service)) == 401


@pytest.mark.parametrize("wrong", ["", "nonsense", f"kv_{'0' * 16}_{'A' * 43}"])
def test_a_wrong_key_is_refused(browser: TestClient, kildesvar: Kildesvar, wrong: str) -> None:
    refused = sign_in(browser, wrong)
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers
    assert "ask whoever runs the service" in refused.json()["detail"]
    assert who(browser) == 401
    newest = kildesvar.audit.entries(1)[0]
    assert (newest.action, newest.subject) == ("sign-in.failed", "")
    assert not wrong or wrong not in str(newest)


def test_signing_out_ends_the_session_everywhere(
    service: FastAPI, kildesvar: Kildesvar, key: str
) -> None:
    browser, copy = browser_at(service), browser_at(service)
    sign_in(browser, key)
    copy.cookies.update(browser.cookies)
    assert who(copy)["name"] == "Lesesalen"
    before = kildesvar.audit.count()
    signed_out = browser.post("/sign-out", headers=OWN_PAGE)
    assert signed_out.status_code == 204
    assert COOKIE not in browser.cookies
    assert who(browser) == who(copy) == 401
    assert browser.post("/sign-out", headers=OWN_PAGE).status_code == 204
    assert copy.post("/sign-out", headers=OWN_PAGE).status_code == 204
    assert noted(kildesvar, before) == [("sign-out.succeeded", "Lesesalen", key.split("_")[1])]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_page_of_another_site_signs_nobody_in_or_out(
    browser: TestClient, key: str, path: str
) -> None:
    sign_in(browser, key)
    other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert browser.post(path, json={"key": key}, headers=other).status_code == 403
    # What an old browser says, which would not know SameSite either.
    old = {"Origin": "https://evil.example"}
    assert browser.post(path, json={"key": key}, headers=old).status_code == 403
    assert who(browser)["signed_in"]


def test_a_page_of_another_site_changes_nothing_with_the_session(
    browser: TestClient, key: str
) -> None:
    sign_in(browser, key)
    other = {"Sec-Fetch-Site": "same-site", "Origin": "https://blogg.localhost"}
    deleted = browser.delete("/v1/conversations/unknown", headers=other)
    assert deleted.status_code == 403
    assert browser.delete("/v1/conversations/unknown", headers=OWN_PAGE).status_code == 404


def test_a_session_does_not_make_a_key_of_the_cookie(browser: TestClient, key: str) -> None:
    sign_in(browser, key)
    secret = browser.cookies[COOKIE]
    browser.cookies.clear()
    assert who(browser, Authorization=f"Bearer {secret}") == 401


class TestBehindAProxy:
    """Of oauth2-proxy, Authelia and the like."""

    @pytest.fixture
    def proxied(self, service: FastAPI) -> TestClient:
        return browser_at(service, PROXY)

    def test_who_signed_in_there_is_known_here(self, proxied: TestClient) -> None:
        caller = who(proxied, **KARI)
        assert (caller["name"], caller["role"], caller["signed_in"]) == ("kari", "read", False)
        assert proxied.get("/v1/documents", headers=KARI).status_code == 200
        assert proxied.get("/v1/feedback", headers=KARI).status_code == 403

    @pytest.mark.parametrize("address", ["192.0.2.7", "127.0.0.1", "10.0.0.5"])
    def test_the_same_headers_from_elsewhere_are_nothing(
        self, service: FastAPI, address: str
    ) -> None:
        elsewhere = browser_at(service, address)
        assert who(elsewhere, **KARI) == 401
        assert who(elsewhere, **KARI, **{"X-Forwarded-For": PROXY}) == 401

    def test_headers_from_elsewhere_do_not_change_who_has_a_key(
        self, browser: TestClient, key: str
    ) -> None:
        drift = {"X-Forwarded-User": "rot", "X-Forwarded-Groups": "drift"}
        caller = who(browser, **drift, Authorization=f"Bearer {key}")
        assert (caller["name"], caller["role"]) == ("Lesesalen", "read")
        sign_in(browser, key)
        assert who(browser, **drift)["name"] == "Lesesalen"

    def test_who_is_in_no_group_is_told_so(self, proxied: TestClient) -> None:
        refused = proxied.get("/v1/documents", headers={"X-Forwarded-User": "gjest"})
        assert refused.status_code == 403
        assert "KILDESVAR_GROUPS" in refused.json()["detail"]

    def test_a_key_goes_before_the_person(self, proxied: TestClient, key: str) -> None:
        authorization = f"Bearer {key}"
        assert who(proxied, **KARI, Authorization=authorization)["name"] == "Lesesalen"

    @pytest.mark.parametrize("authorization", ["Basic a2FyaTo=", "Bearer eyJhbGciOiJSUzI1NiJ9.e.x"])
    def test_what_the_proxy_sends_for_others_is_passed_over(
        self, proxied: TestClient, authorization: str
    ) -> None:
        assert who(proxied, **KARI, Authorization=authorization)["name"] == "kari"

    def test_nobody_without_a_name(self, proxied: TestClient) -> None:
        assert who(proxied) == 401
        assert who(proxied, **{"X-Forwarded-Groups": "drift"}) == 401

    @pytest.mark.parametrize(
        ("address", "scheme", "is_secure"),
        [(PROXY, "https", True), (PROXY, "http", False), ("192.0.2.7", "https", False)],
    )
    def test_the_cookie_is_secure_where_the_browser_came_by_https(
        self, service: FastAPI, key: str, address: str, scheme: str, is_secure: bool
    ) -> None:
        headers = {"X-Forwarded-Proto": scheme}
        said = sign_in(browser_at(service, address), key, **headers).headers["Set-Cookie"]
        assert ("Secure" in said) == is_secure


def test_a_proxy_without_groups_signs_nobody_in(kildesvar: Kildesvar) -> None:
    """One that is trusted with addresses alone passes on what it is sent."""
    proxied = browser_at(guarded(kildesvar, trusted_proxies=PROXY), PROXY)
    assert who(proxied, **KARI) == 401


def test_behind_a_proxy_keys_are_required(kildesvar: Kildesvar) -> None:
    settings = kildesvar.settings.model_copy(update={"trusted_proxies": (PROXY,)})
    assert settings.requires_keys
    assert not kildesvar.settings.requires_keys


def test_where_a_request_comes_from_is_noted_for_those_who_count(
    service: FastAPI, key: str
) -> None:
    seen: list[tuple[str, bool]] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        await service(scope, receive, send)
        seen.append((scope["client"][0], scope["state"].get("wrong_key", False)))

    proxied = TestClient(counting, base_url="http://localhost", client=(PROXY, 40000))
    forwarded = {"X-Forwarded-For": "198.51.100.9, 192.0.2.7"}
    proxied.get("/v1/caller", headers=forwarded)
    proxied.get("/v1/caller", headers={**forwarded, "Authorization": "Bearer wrong"})
    sign_in(proxied, "wrong", **forwarded)
    sign_in(proxied, key, **forwarded)
    assert seen == [
        ("192.0.2.7", False),
        ("192.0.2.7", True),
        ("192.0.2.7", True),
        ("192.0.2.7", False),
    ]


def test_guessing_is_slowed_down_where_it_comes_from(kildesvar: Kildesvar, key: str) -> None:
    service = guarded(kildesvar, trusted_proxies=PROXY, wrong_keys_per_minute=2)
    proxied = browser_at(service, PROXY)
    guesser, other = ({"X-Forwarded-For": address} for address in ("192.0.2.7", "192.0.2.8"))
    wrong = {"Authorization": "Bearer wrong"}
    assert proxied.get("/v1/caller", headers=guesser | wrong).status_code == 401
    assert sign_in(proxied, "wrong", **guesser).status_code == 401
    slowed = sign_in(proxied, "wrong", **guesser)
    assert (slowed.status_code, int(slowed.headers["Retry-After"]) > 0) == (429, True)
    assert proxied.get("/v1/caller", headers=guesser | wrong).status_code == 429
    assert sign_in(proxied, "wrong", **other).status_code == 401
    assert sign_in(proxied, key, **guesser).status_code == 204


def test_of_guesses_no_more_are_noted_than_may_be_made(kildesvar: Kildesvar) -> None:
    browser = browser_at(guarded(kildesvar, wrong_keys_per_minute=2))
    before = kildesvar.audit.count()
    statuses = [sign_in(browser, "wrong").status_code for _ in range(5)]
    assert statuses == [401, 401, 429, 429, 429]
    assert [action for action, *_ in noted(kildesvar, before)] == ["sign-in.failed"] * 2


def test_what_is_made_up_keeps_nobody_from_signing_in_and_out(
    service: FastAPI, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up, signed_in = browser_at(service), browser_at(service)
    assert sign_in(signed_in, key).status_code == 204
    made_up.cookies.set(COOKIE, "made-up")
    # As while somebody waits for the library in each of the places.
    for gate, places in ((service.state.writing, 4), (service.state.noting, 2)):
        monkeypatch.setattr(gate, "_taken", places)

    def ended(*_: object) -> None:
        raise AssertionError("there is nothing to end")

    with monkeypatch.context() as patch:
        patch.setattr(Authenticator, "sign_out", ended)
        assert made_up.post("/sign-out", headers=OWN_PAGE).status_code == 204
    assert signed_in.post("/sign-out", headers=OWN_PAGE).status_code == 429
    assert sign_in(made_up, "wrong").status_code == 429
    monkeypatch.setattr(service.state.writing, "_taken", 0)
    assert signed_in.post("/sign-out", headers=OWN_PAGE).status_code == 204
    assert sign_in(made_up, "wrong").status_code == 429
    assert sign_in(made_up, key).status_code == 204
