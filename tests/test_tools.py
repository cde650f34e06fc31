"""What a language model may do with the library, and how it is told when it cannot."""

import threading
from typing import Any

import pytest
from pydantic import ValidationError

from app.access.callers import COMMAND_LINE
from app.asking.asking import Asking
from app.asking.gate import Gate, TooBusyError
from app.assembly import Kildesvar
from app.mcp.schemas import AskResult, DocumentPart, DocumentsResult, SearchResult
from app.mcp.tools import ToolArgumentError, Tools
from app.sight.metrics.events import Metrics
from app.sight.witness import Witness
from tests.running import run as in_a_loop

QUESTION = "Hvor mange medlemmer har bransjen?"


@pytest.fixture
def tools(kildesvar: Kildesvar) -> Tools:
    return Tools(kildesvar, Asking(kildesvar.answerer, None, threading.Event()), Gate(1))


def run(tools: Tools, name: str, **arguments: Any) -> Any:
    tool = tools.by_name[name]
    asked = tool.arguments.model_validate(arguments)

    async def ran() -> Any:
        return await tool.run(asked, COMMAND_LINE)

    result = in_a_loop(ran())
    assert isinstance(result, tool.result)
    return result


def read(tools: Tools, document_id: str, **arguments: Any) -> DocumentPart:
    part = run(tools, "read_document", document_id=document_id, **arguments)
    assert isinstance(part, DocumentPart)
    return part


def test_an_answer_can_be_read_where_it_stands(tools: Tools) -> None:
    result: AskResult = run(tools, "ask", question=QUESTION)
    assert result.answered
    assert (result.short_answer, result.nearest, result.answer_id) == ("1369", [], None)
    [citation] = result.citations
    length = citation.end - citation.start
    part = read(tools, citation.document_id, start=citation.start, length=length)
    assert part.text == citation.quote
    assert (part.title, part.source) == (citation.title, citation.source)


def test_what_is_not_answered_has_the_nearest_passages(tools: Tools) -> None:
    result: AskResult = run(tools, "ask", question="Hva er hovedstaden i Frankrike?")
    assert not result.answered
    assert result.citations == []
    assert len(result.nearest) == 5


def test_a_question_may_lean_on_the_turns_before(tools: Tools) -> None:
    before = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "1369\n\nBransjen har 1369 medlemmer. [1]"},
    ]
    result: AskResult = run(tools, "ask", question="Og hvor mange årsverk?", messages=before)
    assert result.question == "Hvor mange årsverk har bransjen?"


def test_passages_are_the_documents_words(tools: Tools) -> None:
    result: SearchResult = run(tools, "search", query="samhandlingsbudsjettet", limit=3)
    assert len(result.passages) == 3
    assert "amhandlingsbudsjettet" in result.passages[0].text
    for passage in result.passages:
        part = read(tools, passage.document_id, start=passage.start, length=len(passage.text))
        assert part.text == passage.text
    nynorsk: SearchResult = run(tools, "search", query="helse", filters={"language": ["nn"]})
    assert {passage.language for passage in nynorsk.passages} == {"nn"}


def test_a_document_is_read_part_by_part(tools: Tools, kildesvar: Kildesvar) -> None:
    [document] = kildesvar.library.documents(1)
    whole = kildesvar.library.document(document.id).text
    texts, start = [], 0
    while True:
        part = read(tools, document.id, start=start, length=700)
        assert (part.start, part.end - part.start) == (start, len(part.text))
        assert part.length == len(whole)
        texts.append(part.text)
        if part.next_start is None:
            break
        start = part.next_start
    assert len(texts) > 2
    assert "".join(texts) == whole


def test_what_is_not_there_is_told_with_the_remedy(tools: Tools, kildesvar: Kildesvar) -> None:
    with pytest.raises(ToolArgumentError, match="list_documents lists"):
        read(tools, "finnes-ikke")
    [document] = kildesvar.library.documents(1)
    with pytest.raises(ToolArgumentError, match=r"has \d+ characters; give a start below"):
        read(tools, document.id, start=10**9)


def test_documents_are_listed_page_by_page(tools: Tools) -> None:
    first: DocumentsResult = run(tools, "list_documents", limit=3)
    assert (len(first.documents), first.total, first.next_offset) == (3, 5, 3)
    last: DocumentsResult = run(tools, "list_documents", limit=3, offset=first.next_offset)
    assert (len(last.documents), last.next_offset) == (2, None)
    titles = [document.title for document in [*first.documents, *last.documents]]
    assert len(set(titles)) == 5
    named: DocumentsResult = run(tools, "list_documents", q="velferdsmiksen")
    assert named.total == 1
    beyond: DocumentsResult = run(tools, "list_documents", offset=100)
    assert (beyond.documents, beyond.next_offset) == ([], None)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ask", {}),
        ("ask", {"question": "å" * 2001}),
        ("search", {"query": " "}),
        ("search", {"query": "helse", "limit": 21}),
        ("search", {"query": "helse", "filter": {"language": ["nn"]}}),
        ("search", {"query": "helse", "filters": {"lang": ["nn"]}}),
        ("read_document", {"document_id": "d", "length": 20_001}),
        ("read_document", {"document_id": "d", "start": -1}),
        ("list_documents", {"limit": 0}),
    ],
)
def test_bounds_hold_and_no_argument_is_passed_over(
    tools: Tools, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        run(tools, name, **arguments)


def test_a_search_is_counted_as_one_over_http_is(kildesvar: Kildesvar) -> None:
    metrics = Metrics()
    asking = Asking(kildesvar.answerer, None, threading.Event())
    run(Tools(kildesvar, asking, Gate(1), Witness(metrics)), "search", query="helse")
    shown = metrics.scrape().content.decode()
    assert 'kildesvar_stage_duration_seconds_count{stage="retrieve"} 1.0' in shown


def test_only_asking_and_searching_take_a_place(kildesvar: Kildesvar) -> None:
    gate = Gate(1)
    tools = Tools(kildesvar, Asking(kildesvar.answerer, None, threading.Event()), gate)
    taken = gate.enter()
    next(taken)
    for name, arguments in (("ask", {"question": QUESTION}), ("search", {"query": "helse"})):
        with pytest.raises(TooBusyError):
            run(tools, name, **arguments)
    listed: DocumentsResult = run(tools, "list_documents")
    assert read(tools, listed.documents[0].id).text
    assert list(taken) == []
    run(tools, "search", query="helse")
    run(tools, "ask", question=QUESTION)
    assert gate.is_quiet
