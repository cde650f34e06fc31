"""Where a caller's files go: into a collection that they may use."""

from app.access.callers import Caller
from index.collection_names import DEFAULT, collection_name
from index.errors import KildesvarError


class CollectionNotOpenError(KildesvarError):
    """The caller may not use that collection, or it is not there: which of them is not said."""


class CollectionNotChosenError(KildesvarError):
    """The caller may use several collections, and has not said which is meant."""


def collection_for(caller: Caller, named: str | None) -> str:
    """The collection that a file of the caller's goes into, who has named one or none.

    Without a name it is the only one that they may use, or the default one of who may use all.
    Raises CollectionNameError, CollectionNotOpenError or CollectionNotChosenError.
    """
    if named:
        name = collection_name(named)
        if not caller.may_use(name):
            raise CollectionNotOpenError(
                f"you may not put documents into the collection {name!r}. GET /v1/collections "
                "lists those that you may use; ask for a key to another."
            )
        return name
    if caller.collections is None:
        return DEFAULT
    if len(caller.collections) == 1:
        return next(iter(caller.collections))
    if not caller.collections:
        raise CollectionNotOpenError("you may use no collection; ask for a key to one")
    names = ", ".join(sorted(caller.collections))
    raise CollectionNotChosenError(
        "name the collection that the file is for, in the form's field `collection`: one of "
        f"{names}"
    )
