"""The service and a real, if weak, language model, each in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from app.answering.notices import notice
from app.language_model import LanguageModel, LanguageModelSettings
from app.language_model_errors import (
    LanguageModelRefusedError,
    PromptTooLongError,
)
from scripts.fetch_test_model import fetch
from tests.conftest import ROOT, serving

QUESTION = "Hvor mange medlemmer har bransjen?"
KEY = "hemmelig"


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    """Address of llama.cpp's own server with SmolLM2."""
    model = fetch()
    command = [sys.executable, "-m", "scripts.serve_language_model", str(model), "--key", KEY]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait(timeout=20)
    process.stdout.close()


@pytest.fixture
def model(model_url: str) -> Iterator[LanguageModel]:
    model = LanguageModel(
        LanguageModelSettings(
            url=model_url,
            model="smollm2",
            key=KEY,
            context_tokens=4096,
            answer_tokens=64,
            patience=60,
            seconds=120,
            concurrency=1,
        )
    )
    yield model
    model.close()


def test_it_writes(model: LanguageModel) -> None:
    asked = "What is the capital of Norway? Answer in one sentence."
    assert "Oslo" in "".join(model.stream([{"role": "user", "content": asked}], 40))


def test_it_says_when_a_prompt_is_too_long(model: LanguageModel) -> None:
    with pytest.raises(PromptTooLongError, match="exceeds the available context size"):
        list(model.stream([{"role": "user", "content": "ord " * 9000}], 40))


def test_an_answer_begun_can_be_ended_and_another_be_asked_for(model: LanguageModel) -> None:
    stream = model.stream([{"role": "user", "content": "Count to a thousand."}], 2000)
    next(text for text in stream if text)
    stream.close()
    again = model.stream([{"role": "user", "content": "Say yes."}], 50)
    assert next(text for text in again if text)
    again.close()


def test_a_wrong_key_is_named(model: LanguageModel, model_url: str) -> None:
    other = LanguageModel(replace(model.settings, key="feil"))
    with pytest.raises(LanguageModelRefusedError, match="KILDESVAR_LLM_KEY"):
        list(other.stream([{"role": "user", "content": "Hei"}], 5))
    other.close()


def test_what_leaves_the_service_is_cited_to_the_very_words(
    examples_dir: Path, tmp_path: Path, model_url: str
) -> None:
    """Whatever it writes; how its draft stood is reported. What is kept, test_generating holds."""
    settings = {
        "llm_url": model_url,
        "llm_model": "smollm2",
        "llm_key": KEY,
        "llm_answer_tokens": "64",
        "llm_context_tokens": "1024",
        "llm_patience": "100",
        "llm_seconds": "200",
        "keep_answers_days": "0",
    }
    with serving(examples_dir, **settings) as (url, _):
        answer = httpx.post(f"{url}/v1/ask", json={"question": QUESTION}, timeout=240).json()
        assert answer["answered"]
        assert answer["citations"]
        for citation in answer["citations"]:
            document = httpx.get(f"{url}/v1/documents/{citation['document_id']}").json()
            assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
        said = {int(number) for number in re.findall(r"\[(\d+)\]", answer["answer"])}
        assert said == {citation["number"] for citation in answer["citations"]}
        if answer["composed_by"] == "quotes":
            assert answer["notice"] in {
                notice(kind, QUESTION) for kind in ("unsupported", "declined", "failed")
            }
