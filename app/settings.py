"""Settings, from the environment or a file, checked before anything starts."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.access.people import Grant, groups_from
from app.access.proxies import Network, network_from
from app.addresses import is_this_machine
from app.cross_origin import origin_from
from app.setting_sources import DEFAULT, PREFIX, Origin, gather, variable
from index.errors import KildesvarError
from index.processors import available_processors
from index.readers import MAX_FILE_BYTES

_LEAST_PROMPT_TOKENS = 900
_HEADER = r"^[A-Za-z0-9-]+$"
_PLACES_A_CORE = 2
_REQUESTS_PER_MINUTE = 600


class SettingsError(KildesvarError):
    """Settings that are unknown, or whose values are not allowed; `problems` has a line for each,
    with its remedy."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        begins = "a setting is wrong" if len(self.problems) == 1 else "settings are wrong"
        super().__init__(f"{begins}: {'; '.join(self.problems)}")


def _absolute(folder: Path) -> Path:
    """The folder by the one name that files in it are known by."""
    return folder.expanduser().resolve()


def _expanded(file: Path | None) -> Path | None:
    return file.expanduser() if file else None


def _origins(given: object) -> object:
    """Origins from a text with commas between them."""
    if not isinstance(given, str):
        return given
    return tuple(origin_from(part.strip()) for part in given.split(",") if part.strip())


def _networks(given: object) -> object:
    """Networks from a text with commas between them."""
    if not isinstance(given, str):
        return given
    return tuple(network_from(part.strip()) for part in given.split(",") if part.strip())


def _server_url(given: str) -> str:
    """The address of a server, or nothing. Raises ValueError with the remedy."""
    if given:
        try:
            url = TypeAdapter(AnyHttpUrl).validate_python(given)
        except ValidationError as error:
            raise ValueError(
                f"«{given}» is no address of a server; write one such as http://localhost:8000/v1"
            ) from error
        if url.username or url.password:
            raise ValueError("the address holds a password; set KILDESVAR_LLM_KEY instead")
    return given


def _collector_url(given: str) -> str:
    """The address of a collector of traces, or nothing. Raises ValueError with the remedy."""
    if given:
        try:
            url = TypeAdapter(AnyHttpUrl).validate_python(given)
        except ValidationError as error:
            raise ValueError(
                "that is no address of a collector; write one such as http://localhost:4318"
            ) from error
        if url.username or url.password or url.query:
            raise ValueError(
                "the address holds more than a server and a path; OTEL_EXPORTER_OTLP_HEADERS is "
                "where a collector's key goes"
            )
    return given


def _database_url(given: SecretStr) -> SecretStr:
    """The address of a database, or nothing. Raises ValueError, without the address."""
    url = given.get_secret_value().strip()
    # A host, or, of a socket, the folder that it lies in.
    if url and not re.match(r"postgres(ql)?://([^/]|/[^?]*\?(.*&)?host=)", url):
        raise ValueError(
            "it is no address of a PostgreSQL database; write one such as "
            "postgresql://user:password@db.example:5432/kildesvar"
        )
    return SecretStr(url)


def _cluster_urls(given: object) -> object:
    """Addresses of nodes from a text with commas between them. Raises ValueError."""
    if not isinstance(given, str):
        return given
    urls = tuple(part.strip().rstrip("/") for part in given.split(",") if part.strip())
    for url in urls:
        if not re.fullmatch(r"https?://[^/@?#\s]+", url):
            raise ValueError(
                f"«{url.rpartition('@')[2]}» is no address of a node; write one such as "
                "https://search.example:9200, without a path, and the name and password in "
                "KILDESVAR_OPENSEARCH_USER and KILDESVAR_OPENSEARCH_PASSWORD"
            )
    return urls


def _uploads_dir(data: dict[str, object]) -> Path:
    data_dir = data.get("data_dir")  # which is not there when it was wrong
    return data_dir / "uploads" if isinstance(data_dir, Path) else Path("uploads")


def _server_key(given: SecretStr) -> SecretStr:
    """The key without the line break that a file ends in. Raises ValueError, without the key."""
    key = given.get_secret_value().strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ValueError("it holds a space or a letter that no key has; give it as it was made")
    return SecretStr(key)


def default_data_dir() -> Path:
    """`data/` of a source checkout; else the user's own data folder."""
    checkout = Path(__file__).resolve().parents[1]
    return (
        checkout / "data" if (checkout / "pyproject.toml").exists() else user_data_path("kildesvar")
    )


class Settings(BaseSettings):
    """What can be set. Every field is in docs/configuration.md; a test sees to it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    config: Annotated[
        Path | None,
        Field(description="File of settings, in TOML; what the environment holds goes before it."),
    ] = Field(default_factory=lambda: None)
    data_dir: Annotated[
        Path, AfterValidator(_absolute), Field(description="Folder of the library.")
    ] = Field(default_factory=default_data_dir)
    models_dir: Annotated[
        Path, Field(description="Folder of the prepared embedding models, shared by all libraries.")
    ] = Field(default_factory=lambda: default_data_dir() / "models")
    uploads_dir: Annotated[
        Path,
        AfterValidator(_absolute),
        Field(description="Folder of uploaded files; where several hosts serve, one that all see."),
    ] = Field(default_factory=_uploads_dir)
    database_url: Annotated[
        SecretStr,
        AfterValidator(_database_url),
        Field(
            description="Address of a PostgreSQL database, in which the library then is; else it "
            "is a file of the data folder."
        ),
    ] = Field(default_factory=lambda: SecretStr(""))
    opensearch_url: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_cluster_urls),
        Field(
            description="Addresses of an OpenSearch cluster's nodes, with commas between them, "
            "where passages are then searched; else in files of the data folder."
        ),
    ] = Field(default_factory=tuple)
    opensearch_user: Annotated[
        str, Field(description="Name by which the cluster knows this service.")
    ] = Field(default_factory=str)
    opensearch_password: Annotated[SecretStr, Field(description="The password to that name.")] = (
        Field(default_factory=lambda: SecretStr(""))
    )
    opensearch_key: Annotated[
        SecretStr,
        AfterValidator(_server_key),
        Field(description="An API key of the cluster, in the place of a name and a password."),
    ] = Field(default_factory=lambda: SecretStr(""))
    opensearch_ca: Annotated[
        Path | None,
        AfterValidator(_expanded),
        Field(description="Certificate of who signed the cluster's, where no system knows it."),
    ] = Field(default_factory=lambda: None)
    opensearch_index: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9_]{0,39}$",
            description="What the names of this library's indices in the cluster begin with.",
        ),
    ] = "kildesvar"
    opensearch_shards: Annotated[
        int, Field(ge=1, le=1024, description="Shards of each new index.")
    ] = 1
    opensearch_replicas: Annotated[
        int, Field(ge=0, le=10, description="Copies of each shard beside the first.")
    ] = 1
    opensearch_seconds: Annotated[
        float, Field(gt=0, le=600, description="Seconds that the cluster may take for a search.")
    ] = 10
    model: Annotated[
        str,
        Field(
            min_length=1,
            description="Embedding model: `bundled`, a folder that sentence-transformers can load, "
            "or a Hugging Face id.",
        ),
    ] = "bundled"
    host: Annotated[
        str, Field(min_length=1, description="Address that the service listens on.")
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535, description="Port that the service listens on; 0 takes a free one."),
    ] = 8080
    workers: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that serve; one is the service itself, and of several each is "
            "started again when it dies.",
        ),
    ] = 1
    threads: Annotated[
        int, Field(ge=0, le=256, description="Threads of the embedding model; 0 takes all cores.")
    ] = 0
    max_concurrency: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="Questions and searches worked on at once; 0 takes two for each core.",
        ),
    ] = 0
    max_waiting: Annotated[
        int, Field(ge=0, le=1000, description="Questions and searches that wait for their turn.")
    ] = 32
    max_wait_seconds: Annotated[
        float,
        Field(gt=0, le=60, description="Seconds that each waits at most; then it is answered 429."),
    ] = 1
    answer_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="Seconds that an answer or search may take, a language model's aside.",
        ),
    ] = 30
    requests_per_minute: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000_000,
            description="Requests a minute of each caller, or of each address where keys are not "
            "asked for; 0 for any number. Unset, 600 where keys are required, and else any number.",
        ),
    ] = Field(default_factory=lambda: None)
    request_burst: Annotated[
        int,
        Field(ge=1, le=100_000, description="How many of these may come at once."),
    ] = 120
    wrong_keys_per_minute: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Wrong keys a minute, and at once, from each address; 0 for any number.",
        ),
    ] = 10
    cached_answers_mb: Annotated[
        int,
        Field(
            ge=0,
            le=4096,
            description="Megabytes of answers that are given again as long as nothing changes.",
        ),
    ] = 32
    cached_queries: Annotated[
        int,
        Field(ge=0, le=1_000_000, description="Queries whose embeddings are kept."),
    ] = 2000
    passage_tokens: Annotated[
        int,
        Field(
            ge=32,
            le=480,
            description="Most tokens of one passage. A change re-embeds the library at the next "
            "ingest.",
        ),
    ] = 220
    candidates: Annotated[
        int,
        Field(ge=10, le=1000, description="Passages that each half of retrieval hands to fusion."),
    ] = 100
    dense_weight: Annotated[
        float,
        Field(ge=0, le=1, description="Weight of meaning against words in the ranking, 0 to 1."),
    ] = 0.5
    caution: Annotated[
        Literal["strict", "balanced", "eager"],
        Field(
            description="When to say that the documents do not answer: `strict` answers only when "
            "quite sure, `eager` seldom refuses."
        ),
    ] = "balanced"
    llm_url: Annotated[
        str,
        AfterValidator(_server_url),
        Field(
            description="Address of an OpenAI-compatible server, whose language model writes the "
            "answers; without one they are quotes."
        ),
    ] = Field(default_factory=str)
    llm_model: Annotated[str, Field(description="Name of the language model at that server.")] = (
        Field(default_factory=str)
    )
    llm_key: Annotated[
        SecretStr,
        AfterValidator(_server_key),
        Field(description="Key of that server, where it asks for one."),
    ] = Field(default_factory=lambda: SecretStr(""))
    llm_context_tokens: Annotated[
        int,
        Field(
            ge=1024,
            le=2_000_000,
            description="Tokens that the language model takes in, question and answer together.",
        ),
    ] = 4096
    llm_answer_tokens: Annotated[
        int, Field(ge=64, le=4096, description="Most tokens of a language model's answer.")
    ] = 512
    llm_patience: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            description="Seconds that a language model may take to its first word; then the answer "
            "is quoted.",
        ),
    ] = 15
    llm_seconds: Annotated[
        float, Field(gt=0, le=3600, description="Seconds that it may take to its last.")
    ] = 60
    llm_concurrency: Annotated[
        int,
        Field(ge=1, le=256, description="Answers that a language model writes at once."),
    ] = 4
    max_upload_mb: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_FILE_BYTES // 1024**2,
            description="Most megabytes of an uploaded file.",
        ),
    ] = MAX_FILE_BYTES // 1024**2
    works_on_uploads: Annotated[
        bool,
        Field(
            description="Whether the service reads what is sent to it by itself; else that is for "
            "`kildesvar work`, here or on another host."
        ),
    ] = Field(default_factory=lambda: True)
    ocr: Annotated[
        Literal["off", "on"],
        Field(description="Whether pages of a PDF that are pictures are read by Tesseract."),
    ] = "off"
    allowed_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_origins),
        Field(
            description="Origins, with commas between them, whose pages may search and ask from a "
            "browser; * for all."
        ),
    ] = Field(default_factory=tuple)
    keep_answers_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="Days for which questions, and what people thought of their answers, are "
            "kept; 0 keeps none.",
        ),
    ] = 90
    keep_conversations_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="Days for which conversations are kept that nobody goes on with; 0 keeps "
            "none.",
        ),
    ] = 90
    keep_audit_days: Annotated[
        int,
        Field(ge=1, le=3650, description="Days for which is kept who changed what."),
    ] = 365
    require_keys: Annotated[
        bool | None,
        Field(
            description="Whether every request needs a key; unset, where others than this machine "
            "reach the service."
        ),
    ] = Field(default_factory=lambda: None)
    session_hours: Annotated[
        int, Field(ge=1, le=720, description="Hours after which a sign-in on the pages ends.")
    ] = 12
    trusted_proxies: Annotated[
        tuple[Network, ...],
        NoDecode,
        BeforeValidator(_networks),
        Field(
            description="Addresses and networks, with commas between them, of proxies whose word "
            "is taken on who asks and from where."
        ),
    ] = Field(default_factory=tuple)
    user_header: Annotated[
        str,
        Field(pattern=_HEADER, description="Header in which a trusted proxy names the person."),
    ] = "X-Forwarded-User"
    groups_header: Annotated[
        str,
        Field(pattern=_HEADER, description="Header with the person's groups, commas between them."),
    ] = "X-Forwarded-Groups"
    groups: Annotated[
        dict[str, Grant],
        NoDecode,
        BeforeValidator(groups_from),
        Field(
            description="Which groups may do what, as JSON; * is everybody. Without it a proxy "
            "signs nobody in."
        ),
    ] = Field(default_factory=dict)
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="What is logged.")
    ] = "info"
    traces_url: Annotated[
        str,
        AfterValidator(_collector_url),
        Field(description="Address of an OpenTelemetry collector (OTLP over HTTP) for traces."),
    ] = Field(default_factory=str)
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="How it is logged: for people, or an object a line for programs."),
    ] = "text"

    @model_validator(mode="after")
    def _names_the_model(self) -> Self:
        if self.llm_url and not self.llm_model:
            raise ValueError(
                f"KILDESVAR_LLM_URL is set, so KILDESVAR_LLM_MODEL must name the model; "
                f"{self.llm_url.rstrip('/')}/models lists those that there are"
            )
        return self

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        password = self.opensearch_password.get_secret_value()
        if bool(self.opensearch_user) != bool(password):
            raise ValueError(
                "KILDESVAR_OPENSEARCH_USER and KILDESVAR_OPENSEARCH_PASSWORD belong together; set "
                "both or neither"
            )
        if password and self.opensearch_key.get_secret_value():
            raise ValueError(
                "both KILDESVAR_OPENSEARCH_KEY and a name with a password are set; leave one out"
            )
        return self

    @model_validator(mode="after")
    def _leaves_room_for_sources(self) -> Self:
        if self.llm_context_tokens - self.llm_answer_tokens < _LEAST_PROMPT_TOKENS:
            raise ValueError(
                f"KILDESVAR_LLM_CONTEXT_TOKENS ({self.llm_context_tokens}) must be at least "
                f"{_LEAST_PROMPT_TOKENS} more than KILDESVAR_LLM_ANSWER_TOKENS "
                f"({self.llm_answer_tokens}), for the question and the passages"
            )
        return self

    @model_validator(mode="after")
    def _gives_nobody_more_than_somebody(self) -> Self:
        if self.require_keys is False and self.signs_people_in:
            raise ValueError(
                "KILDESVAR_REQUIRE_KEYS is false, so whoever the proxy names nobody for may do "
                "everything, and people only what KILDESVAR_GROUPS says; leave either of them out"
            )
        return self

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is set and may be meant otherwise, each with its remedy."""
        return tuple(self._doubts())

    def _doubts(self) -> Iterator[str]:
        secret = (
            self.opensearch_password.get_secret_value() or self.opensearch_key.get_secret_value()
        )
        if secret and not self.opensearch_url:
            yield (
                "a password or a key of a search cluster is set, and no cluster: passages are "
                "searched in files of the data folder. Name the cluster's nodes with "
                "KILDESVAR_OPENSEARCH_URL"
            )
        elsewhere = [
            url
            for url in self.opensearch_url
            if url.startswith("http://") and not is_this_machine(urlsplit(url).hostname or "")
        ]
        if secret and elsewhere:
            yield (
                f"the search cluster's password or key goes over the network for all to read, to "
                f"{', '.join(elsewhere)}; have the cluster speak TLS, and write https:// in "
                "KILDESVAR_OPENSEARCH_URL"
            )
        if self.has_database and not self.opensearch_url:
            yield (
                "the library is in a database and is searched in files of the data folder, so that "
                "this host alone may serve it: what another brings in is not found here. Set "
                "KILDESVAR_OPENSEARCH_URL before a second one comes"
            )
        are_own = self.uploads_dir == self.data_dir / "uploads"
        if self.has_database and self.opensearch_url and are_own:
            yield (
                "several hosts may serve this library, and what is sent to this one lies in its "
                "own data folder, where no other sees it. Set KILDESVAR_UPLOADS_DIR to a folder "
                "that is mounted on all of them before a second one comes"
            )

    @property
    def signs_people_in(self) -> bool:
        """Whether people come in by the word of a proxy: that takes one, and groups besides. A
        proxy that is trusted with addresses alone may pass on whatever header it is sent."""
        return bool(self.trusted_proxies and self.groups)

    @property
    def places(self) -> int:
        """Questions and searches that are worked on at once."""
        return self.max_concurrency or _PLACES_A_CORE * available_processors()

    @property
    def request_rate(self) -> int:
        """Requests a minute of each caller, as it was said or follows; 0 for any number."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return _REQUESTS_PER_MINUTE if self.requires_keys else 0

    @property
    def requires_keys(self) -> bool:
        """Whether requests need a key, as it was said or follows from the address."""
        if self.require_keys is not None:
            return self.require_keys
        return bool(self.trusted_proxies) or not is_this_machine(self.host)

    @property
    def has_database(self) -> bool:
        """Whether the library is in a database, that other hosts may share."""
        return bool(self.database_url.get_secret_value())

    @property
    def library_address(self) -> Path | str:
        """Where the library is: the address of a database, else the path of a file."""
        return self.database_url.get_secret_value() or self.library_path

    @property
    def library_path(self) -> Path:
        return self.data_dir / "library.sqlite3"

    @property
    def generations_dir(self) -> Path:
        return self.data_dir / "generations"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and where those come from that are not the default."""

    settings: Settings
    origins: dict[str, Origin]

    def origin(self, field: str) -> Origin:
        return self.origins.get(field, DEFAULT)

    def shown(self, field: str) -> str:
        """A setting's value as it may be seen: of a secret, whether there is one."""
        value = getattr(self.settings, field)
        if isinstance(value, SecretStr):
            return "(set, not shown)" if value.get_secret_value() else "(none)"
        if isinstance(value, dict) and value:  # in the form in which it can be set
            written = self.settings.model_dump(mode="json", include={field})[field]
            return json.dumps(written, ensure_ascii=False)
        if isinstance(value, tuple | dict):
            return ", ".join(map(str, value)) or "(none)"
        return "(none)" if value is None or value == "" else str(value)

    @property
    def summary(self) -> str:
        """What was set, on one line."""
        return ", ".join(
            f"{variable(field)}={self.shown(field)} ({origin.kind})"
            for field, origin in self.origins.items()
        )


def load_settings(**given: object) -> Settings:
    """Settings as `configuration` reads them."""
    return configuration(**given).settings


def configuration(**given: object) -> Configuration:
    """Settings from the file that KILDESVAR_CONFIG names, overridden by the environment, and both
    by those `given` that are not None.

    Raises SettingsError for a name that is unknown (a misspelling would otherwise be passed over
    in silence), for a file that cannot be read, and for a value out of bounds: for all of them at
    once.
    """
    sources = gather(Settings.model_fields, given)
    problems = list(sources.problems)
    try:
        settings = Settings(**sources.values)  # type: ignore[arg-type]
    except ValidationError as error:
        problems += [
            ": ".join([*(sources.named(str(name)) for name in e["loc"][:1]), e["msg"]])
            for e in error.errors()
        ]
        raise SettingsError(problems) from error
    if problems:
        raise SettingsError(problems)
    return Configuration(settings, sources.origins)
