"""`kildesvar feedback`: what people thought of the answers that they got."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from app.commands.common import ConfigFile, DataDir, JsonLines, opened_library, plain, print_line
from app.settings import load_settings

if TYPE_CHECKING:
    from app.kept.answer_records import Feedback


def feedback(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: JsonLines = False,
) -> None:
    """List what people thought of answers, from the newest to the oldest."""
    from app.kept.answer_records import AnswerRecords

    settings = load_settings(data_dir=data_dir, config=config)
    with opened_library(settings) as library:
        given = AnswerRecords(library).feedback()
    for item in given:
        if as_json:
            print_line(asdict(item))
        else:
            _print(item)


def _print(item: "Feedback") -> None:
    answered = "answered" if item.answered else "refused"
    moment = item.given_at[:16].replace("T", " ")
    print(f"{moment}  {item.verdict:4}  {answered:8}  {plain(item.question)}")
    if item.reason:
        print(f"{'':34}{plain(item.reason)}")
