"""Series of indices: which there are in the cluster, and which one is searched.

    kildesvar-3f9a01bc-2.5-default   the edition 2 of library 3f9a01bc, made for the 5th time
    kildesvar-3f9a01bc-2.5-styret
    kildesvar                        an alias on those of the series that is searched

The alias is changed in one call, so that at no moment some of one series are searched and some of
another.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from opensearchpy.exceptions import NotFoundError, RequestError

from index.errors import DocumentRefusedError, IndexConfigurationError, IndexUnavailableError
from index.opensearch.client import Cluster
from index.opensearch.mapping import (
    Layout,
    Origin,
    index_body,
    index_name,
    is_named_so,
    origin_of,
    series_name,
)

_CREATES_WITHIN = 60.0
"""Seconds that the cluster may take for a change to which indices there are."""
_ADDRESSED = 20
"""Indices that are named one by one in an address; beyond, all of the series are meant."""


@dataclass(frozen=True, slots=True)
class Series:
    """The indices of one origin, by collection. `searched` are those that the alias stands on."""

    name: str
    origin: Origin
    indices: Mapping[str, str] = field(default_factory=dict)
    searched: frozenset[str] = frozenset()

    @property
    def pattern(self) -> str:
        return f"{self.name}-*"


@dataclass(frozen=True, slots=True)
class Survey:
    """All series of a library, by name. `former` are indices of the library before it was restored,
    and `strange` those that have names of its own and are not of its making."""

    series: Mapping[str, Series]
    former: tuple[str, ...] = ()
    aliased: tuple[str, ...] = ()
    """All indices that the alias stands on."""
    strange: tuple[str, ...] = ()

    @property
    def searched(self) -> Series | None:
        """The one that the alias stands on."""
        return next((one for one in self.series.values() if one.searched), None)


class Catalogue:
    """The indices of one library in a cluster: all whose names begin with that of the layout."""

    def __init__(self, cluster: Cluster, layout: Layout) -> None:
        self._indices = cluster.client.indices
        self._cluster = cluster
        self._layout = layout

    def survey(self, identity: str, former: Mapping[str, bool] | None = None) -> Survey:
        """What there is of the library. Indices with a `former` identity are not in its way; those
        of which that is true are nobody's any more.

        Raises IndexConfigurationError when the alias belongs to another library.
        """
        found = self._indices.get(
            index=f"{self._layout.name}-*",
            params={"filter_path": "*.aliases,*.mappings._meta", "expand_wildcards": "all"},
        )
        former = former or {}
        series: dict[str, Series] = {}
        before: list[str] = []
        strange: list[str] = []
        aliased = [n for n, index in found.items() if self._layout.name in index.get("aliases", {})]
        for name, index in sorted(found.items()):
            made = origin_of(index)
            if made is not None and made[0].identity == identity:
                _add(series, series_name(self._layout, made[0]), made, name, name in aliased)
            elif made is not None and made[0].identity in former:
                if former[made[0].identity]:
                    before.append(name)
            elif name in aliased:
                raise _of_another(name, self._layout)
            elif made is None and is_named_so(self._layout, identity, name, index):
                strange.append(name)
        self._require_none_elsewhere(found)
        return Survey(series, tuple(before), tuple(aliased), tuple(strange))

    def index_of(self, series: Series, collection: str) -> str:
        """Name of the index of a collection, whether it is there or not."""
        return index_name(self._layout, series.origin, collection)

    def aliased(self) -> set[str]:
        """Names of the indices that the alias stands on."""
        with suppress(NotFoundError):
            return set(self._indices.get_alias(name=self._layout.name))
        return set()

    def create(self, series: Series, collection: str, *, searched: bool) -> str:
        """Makes the index of a collection if there is none, under the alias when it is searched.

        Raises DocumentRefusedError when the cluster makes none.
        """
        name = self.index_of(series, collection)
        body = index_body(self._layout, series.origin, collection)
        if searched:
            body["aliases"] = {self._layout.name: {}}
        try:
            self._indices.create(index=name, body=body, params=_patiently())
        except RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise DocumentRefusedError(_refused(name, error)) from error
        return name

    def search_only(self, survey: Survey, series: Series) -> None:
        """Puts the alias on the indices of the series, and takes it from all others, at once."""
        alias = self._layout.name
        wanted = set(series.indices.values())
        actions: list[dict[str, Any]] = [
            *(
                {"remove": {"index": name, "alias": alias}}
                for name in survey.aliased
                if name not in wanted
            ),
            *(
                {"add": {"index": name, "alias": alias}}
                for name in sorted(wanted.difference(survey.aliased))
            ),
        ]
        if not actions:
            return
        try:
            self._indices.update_aliases(body={"actions": actions}, params=_patiently())
        except RequestError as error:
            raise IndexConfigurationError(_refused(alias, error)) from error

    def delete(self, indices: Collection[str]) -> None:
        for name in sorted(indices):
            self._indices.delete(index=name, params={**_patiently(), "ignore_unavailable": "true"})

    def refresh(self, series: Series, indices: Collection[str] | None = None) -> None:
        """Has what was written be found, in all indices of the series or in those.

        Raises IndexUnavailableError when some parts of them could not do so: what was written there
        is not found yet.
        """
        if indices is not None and len(indices) <= _ADDRESSED:
            names = ",".join(sorted(indices))
        else:
            names = series.pattern
        if names:
            shards = self._indices.refresh(index=names, params=_patiently())["_shards"]
            if shards["failed"]:
                raise IndexUnavailableError(
                    f"{shards['failed']} of {shards['total']} parts of {names} do not let be found "
                    "what was written to them; it is tried again. If that lasts, the search "
                    "cluster's own logs say why"
                )

    def counts(self, series: Series) -> dict[str, int]:
        """How many passages each index of the series has, by name."""
        found = self._cluster.client.indices.stats(
            index=series.pattern, metric="docs", params={"filter_path": "indices.*.primaries.docs"}
        )
        indices = found.get("indices", {})
        return {name: index["primaries"]["docs"]["count"] for name, index in indices.items()}

    def _require_none_elsewhere(self, known: Collection[str]) -> None:
        """Raises IndexConfigurationError when indices with other names have the alias."""
        for name in self.aliased() - set(known):
            raise _of_another(name, self._layout)


def with_index(series: Series, collection: str, name: str, *, searched: bool) -> Series:
    """The series with one index more."""
    under_alias = series.searched | {name} if searched else series.searched
    return Series(
        series.name, series.origin, {**series.indices, collection: name}, frozenset(under_alias)
    )


def _add(
    series: dict[str, Series], name: str, made: tuple[Origin, str], index: str, has_alias: bool
) -> None:
    origin, collection = made
    before = series.get(name, Series(name, origin))
    series[name] = with_index(before, collection, index, searched=has_alias)


def _of_another(name: str, layout: Layout) -> IndexConfigurationError:
    return IndexConfigurationError(
        f"the name «{layout.name}» belongs to another library in the search cluster (its index is "
        f"{name}); give this library one of its own with KILDESVAR_OPENSEARCH_INDEX. If the other "
        "is no more, delete its indices in the cluster"
    )


def _refused(name: str, error: RequestError) -> str:
    return (
        f"the search cluster refuses to make {name} ({error.error}: {error.info}); its own logs "
        "say more"
    )


def _patiently() -> dict[str, Any]:
    return {"request_timeout": _CREATES_WITHIN}
