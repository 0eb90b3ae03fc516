"""A function that takes groups of options, as one that takes the options: for a command line, or for Python callers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Annotated, Any, TypeVar, get_args, get_origin

from auditor.options.kinds import Kind
from auditor.options.option import Group, Option

Result = TypeVar("Result")


class Only:
    """Of a group only these options, by name, or all but those of ``without``, which the command does not have.

    ``kinds`` are other kinds of values, which the command narrows, and ``shown`` other words for a default, by name.
    """

    def __init__(
        self, *names: str, without: tuple[str, ...] = (), kinds: Mapping[str, Kind] | None = None, **shown: str
    ) -> None:
        self.names, self.without, self.kinds, self.shown = names, without, kinds or {}, shown

    def of(self, group: type[Group]) -> dict[str, Option]:
        """The options by name, in the order of the group."""
        unknown = {*self.names, *self.without, *self.kinds, *self.shown} - group.options.keys()
        if unknown:
            raise TypeError(f"{group.__name__} has no option {min(unknown)!r}")
        wanted = {*(self.names or group.options)} - {*self.without}
        taken = {name: declared for name, declared in group.options.items() if name in wanted and not declared.program}
        return {
            name: _of_kind(declared, self.kinds[name]) if name in self.kinds else declared
            for name, declared in taken.items()
        }


def _of_kind(declared: Option, kind: Kind) -> Option:
    narrowed = copy.copy(declared)
    narrowed.kind = kind
    return narrowed


def flattened(
    function: Callable[..., Result],
    parameter: Callable[[Option, str | None], inspect.Parameter],
    group_of: Callable[[type[Group], Mapping[str, Option], Mapping[str, Any]], Group],
) -> Callable[..., Result]:
    """``function`` with the options of its groups as keywords; ``flattened.options`` holds them by name.

    ``parameter`` makes the keyword of an option, with other words for its default; ``group_of`` reads a group, of which
    some options are taken, from all arguments.
    """
    signature = inspect.signature(function)
    groups: dict[str, tuple[type[Group], Mapping[str, Option]]] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for own in map(partial(_evaluated, function), signature.parameters.values()):
        annotated = get_args(own.annotation) if get_origin(own.annotation) is Annotated else ()
        group = annotated[0] if annotated else own.annotation
        if not (isinstance(group, type) and issubclass(group, Group)):
            parameters[own.name] = own
            continue
        only = next((part for part in annotated[1:] if isinstance(part, Only)), Only())
        groups[own.name] = (group, only.of(group))
        for name, declared in only.of(group).items():
            if name in parameters:
                raise TypeError(f"{function.__name__} has two options {name!r}")
            parameters[name] = parameter(declared, only.shown.get(name))
    options = {name: declared for _, taken in groups.values() for name, declared in taken.items()}
    ordered = sorted(parameters.values(), key=lambda keyword: (keyword.kind, keyword.default is not keyword.empty))
    public = signature.replace(parameters=ordered)

    def flat(*args: Any, **keywords: Any) -> Result:
        values = public.bind(*args, **keywords).arguments
        read = {name: group_of(group, taken, values) for name, (group, taken) in groups.items()}
        return function(**{name: value for name, value in values.items() if name not in options}, **read)

    update_wrapper(flat, function)
    del flat.__dict__["__wrapped__"]  # its signature is another one
    flat.__dict__ |= {"__signature__": public, "options": options}
    flat.__annotations__ = {keyword.name: keyword.annotation for keyword in ordered}
    return flat


def _evaluated(function: Callable[..., object], parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter with its annotation as a type; names that only a type checker sees stay text."""
    if not isinstance(parameter.annotation, str):
        return parameter
    try:
        return parameter.replace(annotation=eval(parameter.annotation, function.__globals__))  # noqa: S307 - own code
    except NameError:
        return parameter
