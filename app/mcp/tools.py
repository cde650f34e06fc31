"""Tools: what a language model may do with the library, in portions that it can take in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from pydantic import BaseModel

from app.access.callers import Caller
from app.answering.conversation import Turn
from app.asking.answer_cache import Asked
from app.asking.asking import Asking, answer_of
from app.asking.gate import Gate
from app.asking.working import worked
from app.assembly import Kildesvar
from app.dependencies import filters_from
from app.mcp.schemas import (
    AskArguments,
    AskResult,
    DocumentPart,
    DocumentsResult,
    FoundPassage,
    ListArguments,
    ListedDocument,
    ReadArguments,
    SearchArguments,
    SearchResult,
)
from app.responses import passage_fields
from app.sight.witness import Witness
from index.errors import DocumentNotFoundError, KildesvarError
from index.library import Library
from index.records import Listing, StoredDocument
from index.retriever import SearchResult as Found

_PASSAGES = 5
"""Passages beside an answer, as POST /v1/ask has them."""


class ToolArgumentError(KildesvarError):
    """A tool is called with something that is not there."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing to do, told to a language model by its description and schemas.

    `run` takes the arguments, checked, and who calls; it raises KildesvarError with what to do.
    """

    name: str
    title: str
    description: str
    arguments: type[BaseModel]
    result: type[BaseModel]
    run: Callable[[Any, Caller], Awaitable[BaseModel]]


class Tools:
    """The tools over one Kildesvar. Searching and asking take a place in the `gate`.

    `witness` is told of searches, and Asking's own of questions.
    """

    def __init__(
        self, kildesvar: Kildesvar, asking: Asking, gate: Gate, witness: Witness | None = None
    ) -> None:
        self._kildesvar = kildesvar
        self._asking = asking
        self._gate = gate
        self._witness = witness
        self.by_name = {tool.name: tool for tool in self._all()}

    def _all(self) -> list[Tool]:
        return [
            Tool(
                "ask",
                "Ask the documents",
                "Answers one question from the organisation's own documents (most are Norwegian), "
                "and says where each sentence stands. Use it first for "
                "anything that a document may state: a number, a name, a date, a rule, what was "
                "decided. When `answered` is false the documents do not answer: say so rather than "
                "guess, or look further with search. Quotes are exact: `quote` is the document's "
                "text from `start` to `end`. Cite title and page.",
                AskArguments,
                AskResult,
                self._ask,
            ),
            Tool(
                "search",
                "Search the documents",
                "Finds passages in the organisation's own documents by meaning and by words, best "
                "first. Use it to look a topic up, to compare what several documents say, or when "
                "ask has no answer. To read on around a passage, call read_document with its "
                "`document_id` and `start`.",
                SearchArguments,
                SearchResult,
                self._search,
            ),
            Tool(
                "read_document",
                "Read a document",
                "Gives the text of one document, a part at a time, beginning anywhere. Go on with "
                "`next_start` until it is null.",
                ReadArguments,
                DocumentPart,
                self._read,
            ),
            Tool(
                "list_documents",
                "List the documents",
                "Lists the documents that there are, by title, all or those whose title or path "
                "has some words. It does not look into them: search does.",
                ListArguments,
                DocumentsResult,
                self._list,
            ),
        ]

    async def _ask(self, asked: AskArguments, caller: Caller) -> AskResult:
        question = Asked(
            question=asked.question,
            limit=_PASSAGES,
            filters=filters_from(asked.filters),
            history=tuple(Turn(message.role, message.content) for message in asked.messages),
            collections=caller.collections,
        )
        view = await run_sync(self._kildesvar.view, caller.collections)
        answer = await answer_of(await self._asking.ask(self._gate, view, question))
        response = await run_sync(self._asking.recorded, asked.question, answer, caller.id)
        nearest = [] if response.answered else response.passages
        shared = AskResult.model_fields.keys() - {"nearest"}
        return AskResult(**{name: getattr(response, name) for name in shared}, nearest=nearest)

    async def _search(self, asked: SearchArguments, caller: Caller) -> SearchResult:
        filters = filters_from(asked.filters)

        def found() -> Found:
            view, search = (
                self._kildesvar.view(caller.collections),
                self._kildesvar.retriever.search,
            )
            result = search(view, asked.query, asked.limit, filters=filters)
            if self._witness is not None:
                self._witness.searched(result)
            return result

        seconds = self._kildesvar.settings.answer_seconds
        result = await worked(self._gate, found, "retrieve", seconds)
        passages = [
            FoundPassage(
                **passage_fields(hit),
                source=hit.passage.source,
                language=hit.passage.language,
                date=hit.passage.date,
            )
            for hit in result.hits
        ]
        return SearchResult(query=result.wording.corrected, passages=passages, total=result.total)

    async def _read(self, asked: ReadArguments, caller: Caller) -> DocumentPart:
        return await run_sync(self._part, asked, self._library_of(caller))

    def _part(self, asked: ReadArguments, library: Library) -> DocumentPart:
        document = self._document(asked.document_id, library)
        length = len(document.text)
        if asked.start > 0 and asked.start >= length:
            raise ToolArgumentError(
                f"the document has {length} characters; give a start below that, or none"
            )
        end = min(asked.start + asked.length, length)
        blocks = reversed(document.blocks)
        return DocumentPart(
            document_id=document.id,
            title=document.title,
            source=document.source,
            language=document.language,
            date=document.date,
            text=document.text[asked.start : end],
            start=asked.start,
            end=end,
            page=next((block.page for block in blocks if block.start <= asked.start), None),
            length=length,
            next_start=end if end < length else None,
        )

    def _library_of(self, caller: Caller) -> Library:
        return self._kildesvar.library.read_by(caller.collections)

    def _document(self, document_id: str, library: Library) -> StoredDocument:
        try:
            return library.document(document_id)
        except DocumentNotFoundError as error:
            raise ToolArgumentError(
                f"there is no document {document_id!r}, or no longer; list_documents lists those "
                "that there are"
            ) from error

    async def _list(self, asked: ListArguments, caller: Caller) -> DocumentsResult:
        return await run_sync(self._listed, asked, self._library_of(caller))

    def _listed(self, asked: ListArguments, library: Library) -> DocumentsResult:
        listing = Listing(tuple(asked.q.split()))
        documents = library.documents(asked.limit, asked.offset, listing)
        total = library.count_documents(listing)
        end = asked.offset + len(documents)
        fields = ListedDocument.model_fields
        return DocumentsResult(
            documents=[
                ListedDocument(**{name: getattr(document, name) for name in fields})
                for document in documents
            ],
            total=total,
            next_offset=end if documents and end < total else None,
        )
