"""The library's tables (SQLAlchemy Core), for SQLite and PostgreSQL."""

import sqlalchemy as sa

# SQLite counts ids by itself in a column of just that type, and has 64 bits in it all the same.
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

documents = sa.Table(
    "documents",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("collection", sa.String(64), nullable=False, server_default="default"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("blocks", sa.JSON, nullable=False),  # [[kind, start, end, level, page], ...]
    sa.Column("media_type", sa.String(120), nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("source_url", sa.Text),
    sa.Column("pages", sa.Integer),
    sa.Column("author", sa.Text),
    sa.Column("date", sa.String(10)),  # ISO day, as the file states it
    sa.Column("notices", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("content_hash", sa.String(80), nullable=False),
    sa.Column("updated_at", sa.String(32), nullable=False),  # ISO 8601, UTC: sorts as time does
    # The same text in two collections is two documents, or the one would tell of the other.
    sa.UniqueConstraint("collection", "content_hash"),
)
# What documents are counted by: to come to a column behind its text, all of a text would be read.
sa.Index(
    "ix_documents_facts",
    documents.c.media_type,
    documents.c.language,
    documents.c.date,
    documents.c.updated_at,
    documents.c.pages,
    documents.c.collection,
)

sources = sa.Table(
    "sources",
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column(
        "document_id", sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("file_hash", sa.String(80), nullable=False, index=True),
    sa.Column("readers", sa.String(40), nullable=False, server_default=""),  # that read it
)

# Files that are not read as long as they are as they were: unreadable, or deleted by a person.
left_out = sa.Table(
    "left_out",
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("file_hash", sa.String(80), nullable=False, index=True),
    sa.Column("readers", sa.String(40), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("collection", sa.String(64), nullable=False, server_default="default"),
)

# Folders that were put into a collection, with all that lies in them and will.
folders = sa.Table(
    "folders",
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("collection", sa.String(64), nullable=False),
)

passages = sa.Table(
    "passages",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("document_id", sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("heading_path", sa.JSON, nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("lead_start", sa.Integer),
    sa.Column("lead_end", sa.Integer),
    sa.Column("units", sa.JSON, nullable=False),  # evidence: [[kind, start, end], ...]
    sa.Column("vector_key", sa.String(80), nullable=False, index=True),
    # Passages of the next edition are made beside those that still answer.
    sa.Column("edition", sa.Integer, nullable=False, server_default="1"),
    # An id is never used twice, and never comes into another collection: no generation mistakes it.
    sqlite_autoincrement=True,
)
# They hold all that passages are counted by, of a document and of the whole library. Without the
# edition in the first, SQLite would go through the whole library once for each document of a list.
sa.Index("ix_passages_document_id", passages.c.document_id, passages.c.edition)
sa.Index("ix_passages_edition", passages.c.edition, passages.c.start, passages.c.end)

vectors = sa.Table(
    "vectors",
    METADATA,
    sa.Column("key", sa.String(80), primary_key=True),
    sa.Column("fingerprint", sa.String(80), primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float32[d], little endian
    sa.Column("units", sa.LargeBinary, nullable=False),  # float16[units, d], little endian
)

# What was asked for over HTTP and is acknowledged: it outlives the process that took it.
jobs = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),  # queued, running, done or failed
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("document_id", sa.String(32)),
    sa.Column("error", sa.Text),
    sa.Column("owner", sa.String(80), nullable=False, server_default=""),  # a caller's id
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("updated_at", sa.String(32), nullable=False),
    sa.Column("collection", sa.String(64), nullable=False, server_default="default"),
    # Who works on it, and until when nobody else does, in seconds since 1970 by the database; of a
    # queued one since when, or from when on, anybody may.
    sa.Column("worker", sa.String(80)),
    sa.Column("leased_until", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),  # that came to no end
)

sa.Index("ix_jobs_queue", jobs.c.state, jobs.c.leased_until, jobs.c.created_at, jobs.c.id)
sa.Index("ix_jobs_path", jobs.c.path)
sa.Index("ix_jobs_document_id", jobs.c.document_id)

# Documents that an index elsewhere does not know as they are, each time that one changed. Rows are
# written only while there is such an index, and deleted when it has what they tell of.
outbox = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("document_id", sa.String(32), nullable=False),  # which may be gone
    sa.Column("marked_at", sa.Float, nullable=False),  # seconds since 1970 by who changed it
    sqlite_autoincrement=True,  # the ids are versions, and never go back
)

# How often somebody came, where several hosts count together (`app.access.rate_limits`).
rates = sa.Table(
    "rates",
    METADATA,
    sa.Column("name_hash", sa.LargeBinary, primary_key=True),
    sa.Column("made_up_at", sa.Float, nullable=False),  # seconds since 1970 by the database
)

# What was asked over HTTP, without a word of the documents: what is deleted there must be gone.
answers = sa.Table(
    "answers",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("asked_at", sa.String(32), nullable=False),  # ISO 8601, UTC: sorts as time does
    sa.Column("owner", sa.String(80), nullable=False, server_default=""),  # a caller's id
    sa.Column("question", sa.Text, nullable=False),  # as it was asked
    sa.Column("answered", sa.Boolean, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("total_ms", sa.Float, nullable=False),
    sa.Column("generation", sa.String(40), nullable=False),
    sa.Column("citations", sa.JSON, nullable=False),  # [{document_id, content_hash, start, end}]
)
# All that statistics ask for, so that they need not read what was asked.
sa.Index("ix_answers_figures", answers.c.asked_at, answers.c.answered, answers.c.total_ms)

feedback = sa.Table(
    "feedback",
    METADATA,
    sa.Column("answer_id", sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("verdict", sa.String(8), nullable=False),  # up or down
    sa.Column("reason", sa.Text),
    sa.Column("given_at", sa.String(32), nullable=False),
)
sa.Index("ix_feedback_given_at", feedback.c.given_at, feedback.c.verdict)

# What was asked in conversations; of each answer the places that it cites, never their words, which
# are looked up whenever it is read. `id` is the client's own name for it, and each owner's own.
conversations = sa.Table(
    "conversations",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(80), nullable=False, server_default=""),  # a caller's id
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),  # ISO 8601, UTC: sorts as time does
    sa.Column("updated_at", sa.String(32), nullable=False),  # when it was last gone on with
    sqlite_autoincrement=True,  # what is on its way to one that was deleted goes into no other
)
sa.Index("ix_conversations_owner", conversations.c.owner, conversations.c.id, unique=True)
sa.Index("ix_conversations_updated_at", conversations.c.updated_at)

# Words that are not the documents' own (a language model's) would be one more column here, to be
# emptied of every turn that cites a document when that is changed or deleted.
turns = sa.Table(
    "turns",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "conversation_key",
        sa.ForeignKey("conversations.key", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("asked_at", sa.String(32), nullable=False),
    sa.Column("question", sa.Text, nullable=False),  # as it was asked
    sa.Column("answered", sa.Boolean, nullable=False),
    sa.Column("documents", sa.Integer, nullable=False),  # how many were searched
)

turn_citations = sa.Table(
    "turn_citations",
    METADATA,
    sa.Column("turn_id", sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("document_id", sa.String(32), nullable=False),  # which may be gone
    sa.Column("content_hash", sa.String(80), nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("short_start", sa.Integer),  # of the short answer in the document's text
    sa.Column("short_end", sa.Integer),
)

# Keys of the service. The secret is never stored, only what tells whether one is right.
keys = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False),  # SHA-256, hex, of 256 random bits
    sa.Column("role", sa.String(8), nullable=False),  # read, write or admin
    sa.Column("collections", sa.JSON(none_as_null=True)),  # [name, ...]; NULL stands for all
    sa.Column("created_at", sa.String(32), nullable=False),  # ISO 8601, UTC, as all times here
    sa.Column("expires_at", sa.String(32)),
    sa.Column("revoked_at", sa.String(32)),
    sa.Column("last_used_at", sa.String(32)),
)

# Browsers that signed in with a key. As long as the key holds, and no longer.
sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("secret_hash", sa.String(64), primary_key=True),  # SHA-256, hex, of 256 random bits
    sa.Column("key_id", sa.ForeignKey("keys.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("expires_at", sa.String(32), nullable=False),
)

# Who changed what: rows are only ever added, and removed when they are old.
audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("at", sa.String(32), nullable=False, index=True),
    sa.Column("caller", sa.String(80), nullable=False),  # its id
    sa.Column("name", sa.Text, nullable=False),  # of the caller, as it was then
    sa.Column("action", sa.String(40), nullable=False),  # such as document.deleted
    sa.Column("subject", sa.Text, nullable=False),  # the id of what was changed
    sa.Column("details", sa.JSON, nullable=False),  # {name: value}, without words of documents
    sa.Column("request_id", sa.String(64)),
    sqlite_autoincrement=True,
)

state = sa.Table(
    "state",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# PostgreSQL would sort by the rules of its own language, and cut nothing off but fail.
for _table in METADATA.tables.values():
    for _column in _table.c:
        if isinstance(_column.type, sa.String):
            _column.type = _column.type.with_variant(sa.Text(collation="C"), "postgresql")
