"""Services that ask who is there, over a Kildesvar of the tests."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import Settings, load_settings
from tests.conftest import LOCAL

PROXY = "10.0.0.4"


def guarded(kildesvar: Kildesvar, **changes: Any) -> FastAPI:
    """A service over `kildesvar` that requires keys, with those settings changed.

    Requests, and wrong keys, may come as often as tests send them.
    """
    unlimited = {"requests_per_minute": 0, "wrong_keys_per_minute": 0}
    changes = {"require_keys": True, **unlimited, **changes}
    given = load_settings(**changes)
    settings: Settings = kildesvar.settings.model_copy(
        update={name: getattr(given, name) for name in changes}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kildesvar, "settings", settings)
        return create_service(kildesvar)


def browser_at(service: FastAPI, address: str = "192.0.2.7", **options: Any) -> TestClient:
    """Who keeps cookies as a browser does, at an `address`."""
    return TestClient(service, base_url=LOCAL, client=(address, 40000), **options)
