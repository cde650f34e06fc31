"""GET /v1/examples: questions to begin with, drawn from the documents."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.access.roles import ReadDep
from app.dependencies import CallerDep, KildesvarDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import ExampleList, ExampleOut

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.get("/examples", dependencies=[ReadDep])
def list_examples(
    kildesvar: KildesvarDep,
    caller: CallerDep,
    language: Annotated[Literal["nb", "nn", "en"], Query(description="Of the questions")] = "nb",
    limit: Annotated[int, Query(ge=1, le=10)] = 3,
) -> ExampleList:
    """At most three questions that the documents answer: each was asked before it is offered.

    They are made in the background after each change of the documents; until then there are none.
    """
    view = kildesvar.view_at_hand(caller.collections)
    generation = view.name if view else None
    examples = kildesvar.examples.of(caller.collections).offered(generation, language, limit)
    return ExampleList(
        examples=[ExampleOut(**asdict(example)) for example in examples], generation=generation
    )
