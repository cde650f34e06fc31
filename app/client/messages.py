"""What was said before a question, in the form that `ask` and `stream` take it."""

from app.schemas import MAX_MESSAGE, AskResponse, Message


def messages_of(question: str, answer: AskResponse) -> list[Message]:
    """A question and its answer, as the turns before the next question.

    Of several, add the lists, oldest first: `messages_of(…) + messages_of(…)`.
    """
    short_answer = answer.short_answer if answer.answered else None
    said = "\n\n".join(filter(None, [short_answer, answer.answer]))
    return [
        Message(role="user", content=question),
        Message(role="assistant", content=said[:MAX_MESSAGE]),
    ]
