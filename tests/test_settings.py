"""Settings: checked before anything starts, and every one of them documented."""

import re
from pathlib import Path

import pytest

from app.setting_sources import secrets_of
from app.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[1]


def documented() -> dict[str, str]:
    """The variables of docs/configuration.md with the default that it names."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(KILDESVAR_\w+)` \| `?([^|`]+)`?.*?\|", text, re.MULTILINE)
    return {name: default.strip() for name, default in rows}


def test_every_setting_is_documented_and_nothing_else() -> None:
    files = [f"{name}_file" for name in secrets_of(Settings.model_fields)]
    known = [*Settings.model_fields, *files]
    assert set(documented()) == {f"KILDESVAR_{name.upper()}" for name in known}


def test_documented_defaults_are_the_real_ones() -> None:
    for name, field in Settings.model_fields.items():
        if field.default_factory is None:
            assert documented()[f"KILDESVAR_{name.upper()}"] == str(field.default), name


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        metadata = [field.description, *(getattr(m, "description", None) for m in field.metadata)]
        assert any(metadata), name


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KILDESVAR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KILDESVAR_PORT", "9000")
    settings = load_settings(port=None)
    assert (settings.data_dir, settings.port) == (tmp_path, 9000)
    assert load_settings(port=9001).port == 9001


def test_a_misspelt_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_DATADIR", "/tmp")
    with pytest.raises(SettingsError, match=r"DATADIR \(is it KILDESVAR_DATA_DIR\?\); docs/conf"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "åtte"),
        ("PASSAGE_TOKENS", "5000"),
        ("DENSE_WEIGHT", "1.1"),
        ("CAUTION", "brave"),
        ("MAX_CONCURRENCY", "-1"),
        ("LOG_LEVEL", "loud"),
        ("MODEL", ""),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"KILDESVAR_{name}", value)
    with pytest.raises(SettingsError, match=f"KILDESVAR_{name}"):
        load_settings()


def test_origins_are_written_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().allowed_origins == ()
    given = (
        "https://Intranet.example, http://127.0.0.1:8101,https://a.example:443,https://blå.example"
    )
    monkeypatch.setenv("KILDESVAR_ALLOWED_ORIGINS", given)
    assert load_settings().allowed_origins == (
        "https://intranet.example",
        "http://127.0.0.1:8101",
        "https://a.example",
        "https://xn--bl-zia.example",
    )
    monkeypatch.setenv("KILDESVAR_ALLOWED_ORIGINS", "*")
    assert load_settings().allowed_origins == ("*",)


@pytest.mark.parametrize(
    "origin",
    [
        "intranet.example",
        "https://intranet.example/",
        "https://intranet.example/sider",
        "https://*.example",
        "https://navn@intranet.example",
        "ftp://intranet.example",
        "https://intranet.example:port",
        "https://",
        "null",
    ],
)
def test_what_is_no_origin_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("KILDESVAR_ALLOWED_ORIGINS", f"https://a.example,{origin}")
    with pytest.raises(SettingsError, match=r"_ALLOWED_ORIGINS.*scheme://host") as refused:
        load_settings()
    assert f"«{origin}»" in str(refused.value)


def test_an_address_of_a_language_model_needs_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_URL", "http://localhost:8000/v1")
    with pytest.raises(SettingsError, match=r"KILDESVAR_LLM_MODEL must name .*/v1/models"):
        load_settings()
    monkeypatch.setenv("KILDESVAR_LLM_MODEL", "navn")
    monkeypatch.setenv("KILDESVAR_LLM_KEY", "hemmelig")
    settings = load_settings()
    assert settings.llm_key.get_secret_value() == "hemmelig"
    assert "hemmelig" not in repr(settings)


def test_the_key_of_a_language_model_is_taken_from_a_file_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_KEY", "hemmelig\n")
    assert load_settings().llm_key.get_secret_value() == "hemmelig"
    monkeypatch.setenv("KILDESVAR_LLM_KEY", "nøkkelen min")
    with pytest.raises(SettingsError, match="KILDESVAR_LLM_KEY") as error:
        load_settings()
    assert "min" not in str(error.value)


def test_a_language_model_needs_room_for_the_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_CONTEXT_TOKENS", "2048")
    monkeypatch.setenv("KILDESVAR_LLM_ANSWER_TOKENS", "2048")
    with pytest.raises(SettingsError, match="must be at least 900 more"):
        load_settings()


def test_an_address_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_URL", "http://navn:hemmelig@localhost/v1")
    with pytest.raises(SettingsError, match="set KILDESVAR_LLM_KEY") as error:
        load_settings()
    assert "hemmelig" not in str(error.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost/v1", "/v1", "http://"])
def test_what_is_no_address_of_a_server_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_URL", url)
    monkeypatch.setenv("KILDESVAR_LLM_MODEL", "navn")
    with pytest.raises(SettingsError, match=r"KILDESVAR_LLM_URL: .*such as http://localhost"):
        load_settings()


def test_keys_are_required_where_others_reach_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert not load_settings(host=host).requires_keys
    for host in ("0.0.0.0", "::", "192.0.2.7", "kildesvar.example"):
        assert load_settings(host=host).requires_keys
    assert load_settings(trusted_proxies="10.0.0.4").requires_keys
    monkeypatch.setenv("KILDESVAR_REQUIRE_KEYS", "false")
    assert not load_settings(host="0.0.0.0").requires_keys
    monkeypatch.setenv("KILDESVAR_REQUIRE_KEYS", "true")
    assert load_settings().requires_keys


def test_proxies_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().groups == {}
    monkeypatch.setenv("KILDESVAR_TRUSTED_PROXIES", "10.0.0.4, 10.1.0.0/16,")
    assert not load_settings().signs_people_in
    given = '{"ansatte": "read", "arkiv": {"role": "write", "collections": ["arkiv"]}}'
    monkeypatch.setenv("KILDESVAR_GROUPS", given)
    settings = load_settings()
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.4/32", "10.1.0.0/16"]
    assert settings.groups["arkiv"].collections == ("arkiv",)
    assert "*" not in settings.groups
    assert settings.signs_people_in


def test_nobody_gets_more_than_who_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_REQUIRE_KEYS", "false")
    monkeypatch.setenv("KILDESVAR_TRUSTED_PROXIES", "10.0.0.4")
    assert not load_settings().requires_keys
    monkeypatch.setenv("KILDESVAR_GROUPS", '{"ansatte": "read"}')
    with pytest.raises(SettingsError, match=r"KILDESVAR_REQUIRE_KEYS is false.*leave either"):
        load_settings()
    monkeypatch.setenv("KILDESVAR_REQUIRE_KEYS", "true")
    assert load_settings().requires_keys


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("TRUSTED_PROXIES", "10.0.0.4/8", "write such as 10.0.0.4"),
        ("TRUSTED_PROXIES", "proxy.example", "write such as 10.0.0.4"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "name the proxy's own address"),
        ("GROUPS", "ansatte=read", "it is no JSON"),
        ("GROUPS", '{"ansatte": "eier"}', "'read', 'write' or 'admin'"),
        ("GROUPS", '{"drift": {"role": "admin", "collections": ["arkiv"]}}', "an admin sees all"),
        ("GROUPS", '{"arkiv": {"role": "read", "collections": []}}', "at least 1"),
        ("GROUPS", '{"arkiv": {"role": "read", "collections": ["a/b"]}}', "collection"),
        ("USER_HEADER", "X User", "pattern"),
    ],
)
def test_what_is_no_proxy_or_group_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(f"KILDESVAR_{name}", value)
    with pytest.raises(SettingsError, match=rf"KILDESVAR_{name}.*{re.escape(remedy)}"):
        load_settings()


def test_a_database_may_be_reached_by_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql:///kildesvar?user=navn&host=/var/run/postgresql"
    monkeypatch.setenv("KILDESVAR_DATABASE_URL", url)
    assert load_settings().library_address == url
    for wrong in ("postgresql:///kildesvar", "postgresql://", "mysql://db/kildesvar"):
        monkeypatch.setenv("KILDESVAR_DATABASE_URL", wrong)
        with pytest.raises(SettingsError, match="KILDESVAR_DATABASE_URL"):
            load_settings()


def test_a_certificate_may_lie_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_OPENSEARCH_CA", "~/ca.pem")
    assert load_settings().opensearch_ca == Path.home() / "ca.pem"


BEYOND_ONE_MACHINE = {
    "database_url": "postgresql://db/kildesvar",
    "opensearch_url": "http://10.0.0.9:9200",
}


@pytest.mark.parametrize(
    ("given", "doubt"),
    [
        ({}, ""),
        ({"opensearch_key": "hemmelig"}, "no cluster"),
        ({"opensearch_key": "hemmelig", "opensearch_url": "http://10.0.0.9:9200"}, "10.0.0.9"),
        ({"opensearch_key": "hemmelig", "opensearch_url": "http://localhost:9200"}, ""),
        ({"opensearch_key": "hemmelig", "opensearch_url": "https://10.0.0.9:9200"}, ""),
        ({"opensearch_url": "http://10.0.0.9:9200"}, ""),
        ({"database_url": "postgresql://db/kildesvar"}, "this host alone"),
        (BEYOND_ONE_MACHINE, "KILDESVAR_UPLOADS_DIR"),
        ({**BEYOND_ONE_MACHINE, "uploads_dir": "/srv/uploads"}, ""),
    ],
)
def test_what_may_be_meant_otherwise_is_said(given: dict[str, str], doubt: str) -> None:
    doubts = load_settings(**given).doubts
    assert len(doubts) == bool(doubt)
    assert doubt in "".join(doubts)
    assert "hemmelig" not in "".join(doubts)
