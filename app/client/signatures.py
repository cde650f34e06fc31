"""Methods that are made of a function in `calls` are told of as if each were written out."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, get_args

F = TypeVar("F", bound=Callable[..., Any])


def sign(method: F, build: Callable[..., Any], returns: Any = None) -> F:
    """`method` with the name, the words and the parameters of `build`, for help() and editors.

    `returns` is what it returns, unless that is what the call of `build` is answered with.
    """
    built = signature(build)
    described = built.replace(
        parameters=[Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *built.parameters.values()],
        return_annotation=returns or answer_type(built),
    )
    method.__name__ = build.__name__
    method.__doc__ = build.__doc__
    vars(method)["__signature__"] = described
    return method


def answer_type(built: Signature) -> Any:
    """T of the Call[T] or Stream[T] that is built."""
    return get_args(built.return_annotation)[0]
