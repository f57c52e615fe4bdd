"""Flags that a test sets: a data source without a server, and a builder of flags.

The builder composes the JSON of a flag here; what it means, and which version it has, is the library's affair. Depends on
``_handles``, ``_lib`` and ``status``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from copy import copy
from ctypes import c_void_p
from typing import Any, NoReturn, Union

from . import _abi
from ._handles import Owner, refuse_copy
from ._lib import do, lib, release_with, utf8
from .errors import InvalidArgumentError
from .status import SourceErrorKind, State

__all__ = ["FlagBuilder", "RuleBuilder", "TestData"]

#: A variation: its index, or a bool, which makes the flag a boolean one.
Variation = Union[bool, int]

_USER = "user"
#: Index of each value of a boolean flag.
_TRUE, _FALSE = 0, 1


class TestData(Owner):
    """Flags and segments that a test sets, for any number of clients; they have each change when the call returns.

    >>> data = TestData()
    >>> data.update(data.flag("new-checkout").variation_for_user("ada", True).fallthrough_variation(False))
    >>> with Client(Config(test_data=data)) as client:
    ...     client.variation("new-checkout", Context("ada"), False)

    Any thread may set. Do not fork while another thread does. What a child sets, its parent does not see.
    """

    # For pytest, which takes classes named like this for tests.
    __test__ = False

    __slots__ = ("_builders", "_lock")

    def __init__(self) -> None:
        self._h = c_void_p(lib.flagstone_test_data_new())
        release_with(self, lib.flagstone_test_data_release, self._h)
        #: The builders that were committed last.
        self._builders: dict[str, FlagBuilder] = {}
        self._lock = threading.Lock()

    def flag(self, key: str) -> FlagBuilder:
        """A copy of the builder that was committed last under this key; else a new one, of a boolean flag that is on and
        true for everybody. Nothing changes before :meth:`update`.
        """
        with self._lock:
            committed = self._builders.get(key)
        return copy(committed) if committed else FlagBuilder(key)

    def update(self, builder: FlagBuilder) -> TestData:
        """Sets the flag that ``builder`` describes. Its version is raised. The builder may be changed and used again.

        :raises InvalidArgumentError: for a flag that cannot be, for example without a key.
        """
        if not issubclass(type(builder), FlagBuilder):
            raise InvalidArgumentError(f"a FlagBuilder is needed, not {type(builder).__name__}")
        with self._lock:
            self._set(_abi.KIND_FLAG, builder.to_dict())
            self._builders[builder.key] = copy(builder)
        return self

    def set_flag(self, flag: Mapping[str, Any] | str) -> TestData:
        """Adds or replaces a flag, given as LaunchDarkly's JSON or as what ``json.loads`` makes of it. Its version is
        raised above the previous one if it is not higher.

        :raises InvalidArgumentError: for what is no flag.
        """
        with self._lock:
            key = self._set(_abi.KIND_FLAG, flag)
            self._builders.pop(key, None)
        return self

    def set_segment(self, segment: Mapping[str, Any] | str) -> TestData:
        """As :meth:`set_flag`, for a segment."""
        self._set(_abi.KIND_SEGMENT, segment)
        return self

    def delete_flag(self, key: str) -> TestData:
        """Deletes a flag; also one that was never there."""
        with self._lock:
            self._delete(_abi.KIND_FLAG, key)
            self._builders.pop(key, None)
        return self

    def delete_segment(self, key: str) -> TestData:
        """Deletes a segment; also one that was never there."""
        self._delete(_abi.KIND_SEGMENT, key)
        return self

    def set_status(
        self,
        state: State,
        kind: SourceErrorKind = SourceErrorKind.UNKNOWN,
        http_status: int = 0,
        message: str = "",
    ) -> TestData:
        """Makes every client that uses these data report this state of its data source: ``VALID``, ``INTERRUPTED`` or
        ``OFF``. Changes go on to be delivered. The rest tells of the failure behind ``INTERRUPTED`` and ``OFF``.

        :raises InvalidArgumentError: for another state.
        """
        text = utf8(message, "message")
        try:
            codes = int(state), int(kind), int(http_status)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"status: {error}") from error
        do(lib.flagstone_test_data_set_status, self._h, *codes, text, len(text))
        return self

    def __copy__(self) -> NoReturn:
        refuse_copy(self, "copied: hand the same one to every client, or set the same flags in another one")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__copy__()

    def _set(self, kind: int, item: Mapping[str, Any] | str) -> str:
        """Sets an item and returns its key."""
        if issubclass(type(item), str):
            raw = utf8(item, "item")
        elif isinstance(item, Mapping):
            try:
                raw = json.dumps(dict(item), allow_nan=False).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise InvalidArgumentError(f"the item cannot be written as JSON: {error}") from error
        else:
            raise InvalidArgumentError(f"item: a mapping or JSON text is needed, not {type(item).__name__}")
        do(lib.flagstone_test_data_set_json, self._h, kind, raw, len(raw))
        key: str = json.loads(raw)["key"]
        return key

    def _delete(self, kind: int, key: str) -> None:
        raw = utf8(key, "key")
        do(lib.flagstone_test_data_delete, self._h, kind, raw, len(raw))


class FlagBuilder:
    """A flag in the making, from :meth:`TestData.flag`. Belongs to one thread at a time. Calls can be chained."""

    __slots__ = ("_members", "_off", "_on", "_rest", "_rules", "_targets", "_variations", "key")

    #: Key of the flag.
    key: str

    def __init__(self, key: str) -> None:
        self.key = key
        self._on = True
        self._variations: list[Any] = [True, False]
        self._rest, self._off = _TRUE, _FALSE
        #: Kind of context, then index of the variation, then keys.
        self._targets: dict[str, dict[int, list[str]]] = {}
        self._rules: list[dict[str, Any]] = []
        #: Members of the flag that have nothing to do with its value.
        self._members: dict[str, Any] = {}

    # Values

    def boolean_flag(self) -> FlagBuilder:
        """Makes it a boolean flag: variations true and false, true for everybody, false when off. A boolean flag is left as
        it is."""
        if not self._is_boolean():
            self._variations, self._rest, self._off = [True, False], _TRUE, _FALSE
        return self

    def on(self, on: bool) -> FlagBuilder:
        """Turns targeting on or off."""
        self._on = on
        return self

    def variations(self, *values: Any) -> FlagBuilder:
        """Sets the values, of any JSON type, that variations are indexes of."""
        self._variations = list(values)
        return self

    def fallthrough_variation(self, variation: Variation) -> FlagBuilder:
        """Sets what is served where no target and no rule matches."""
        self._rest = self._index(variation)
        return self

    def off_variation(self, variation: Variation) -> FlagBuilder:
        """Sets what is served while targeting is off."""
        self._off = self._index(variation)
        return self

    def variation_for_all(self, variation: Variation) -> FlagBuilder:
        """Serves one variation to everybody: turns targeting on, and removes targets and rules."""
        return self.on(True).clear_rules().clear_targets().fallthrough_variation(variation)

    def value_for_all(self, value: Any) -> FlagBuilder:
        """Serves one value to everybody; it becomes the only variation."""
        return self.variations(value).variation_for_all(0)

    # Targets

    def variation_for_user(self, key: str, variation: Variation) -> FlagBuilder:
        """Serves a variation to the user of this key."""
        return self.variation_for_key(_USER, key, variation)

    def variation_for_key(self, kind: str, key: str, variation: Variation) -> FlagBuilder:
        """Serves a variation to the context of this kind and key, and no other one to it."""
        index = self._index(variation)
        of_kind = self._targets.setdefault(kind, {})
        for keys in of_kind.values():
            if key in keys:
                keys.remove(key)
        of_kind.setdefault(index, []).append(key)
        return self

    def clear_targets(self) -> FlagBuilder:
        """Removes all targets."""
        self._targets = {}
        return self

    # Rules

    def if_match(self, attribute: str, *values: Any) -> RuleBuilder:
        """Begins a rule for users whose attribute is one of the values."""
        return self.if_match_context(_USER, attribute, *values)

    def if_not_match(self, attribute: str, *values: Any) -> RuleBuilder:
        """Begins a rule for users whose attribute is none of the values."""
        return self.if_not_match_context(_USER, attribute, *values)

    def if_match_context(self, kind: str, attribute: str, *values: Any) -> RuleBuilder:
        """Begins a rule for contexts of this kind whose attribute is one of the values."""
        return RuleBuilder(self).and_match_context(kind, attribute, *values)

    def if_not_match_context(self, kind: str, attribute: str, *values: Any) -> RuleBuilder:
        """Begins a rule for contexts of this kind whose attribute is none of the values."""
        return RuleBuilder(self).and_not_match_context(kind, attribute, *values)

    def clear_rules(self) -> FlagBuilder:
        """Removes all rules."""
        self._rules = []
        return self

    # What events are made of

    def sampling_ratio(self, ratio: int) -> FlagBuilder:
        """Sets of how many evaluations one makes an event."""
        self._members["samplingRatio"] = ratio
        return self

    def exclude_from_summaries(self, exclude: bool) -> FlagBuilder:
        """Sets whether summaries leave the flag out."""
        self._members["excludeFromSummaries"] = exclude
        return self

    def migration_check_ratio(self, ratio: int) -> FlagBuilder:
        """Sets of how many migrated reads one is checked for consistency."""
        self._members["migration"] = {"checkRatio": ratio}
        return self

    # Inside

    def to_dict(self) -> dict[str, Any]:
        """The flag as LaunchDarkly's JSON has it, without a version."""
        targets, of_contexts = [], []
        for kind, by_variation in self._targets.items():
            for index, keys in sorted(by_variation.items()):
                if not keys:
                    continue
                target = {"contextKind": kind, "variation": index, "values": list(keys)}
                if kind == _USER:
                    # The keys of users are in the older list; the newer one says when their turn is.
                    targets.append(target)
                    target = {**target, "values": []}
                of_contexts.append(target)
        return {
            "key": self.key,
            "on": self._on,
            "variations": list(self._variations),
            "fallthrough": {"variation": self._rest},
            "offVariation": self._off,
            "targets": targets,
            "contextTargets": of_contexts,
            "rules": [{"id": f"rule{number}", **rule} for number, rule in enumerate(self._rules)],
            "prerequisites": [],
            "salt": "",
            **self._members,
        }

    def _is_boolean(self) -> bool:
        # By identity: 1 and 0 are equal to True and False.
        return len(self._variations) == 2 and self._variations[_TRUE] is True and self._variations[_FALSE] is False

    def _index(self, variation: Variation) -> int:
        if not isinstance(variation, bool):
            return variation
        self.boolean_flag()
        return _TRUE if variation else _FALSE

    def __copy__(self) -> FlagBuilder:
        other = FlagBuilder(self.key)
        other._on, other._rest, other._off = self._on, self._rest, self._off
        other._variations, other._rules, other._members = list(self._variations), list(self._rules), dict(self._members)
        for kind, of_kind in self._targets.items():
            other._targets[kind] = {index: list(keys) for index, keys in of_kind.items()}
        return other

    def __repr__(self) -> str:
        return f"FlagBuilder({self.key!r})"


class RuleBuilder:
    """A rule in the making, from :meth:`FlagBuilder.if_match` and its like. It becomes part of the flag by
    :meth:`then_return`."""

    __slots__ = ("_clauses", "_flag")

    def __init__(self, flag: FlagBuilder) -> None:
        self._flag = flag
        self._clauses: list[dict[str, Any]] = []

    def and_match(self, attribute: str, *values: Any) -> RuleBuilder:
        """Also asks that the user's attribute is one of the values."""
        return self.and_match_context(_USER, attribute, *values)

    def and_not_match(self, attribute: str, *values: Any) -> RuleBuilder:
        """Also asks that the user's attribute is none of the values."""
        return self.and_not_match_context(_USER, attribute, *values)

    def and_match_context(self, kind: str, attribute: str, *values: Any) -> RuleBuilder:
        """Also asks that the attribute of the context of this kind is one of the values."""
        return self._ask(kind, attribute, values, negate=False)

    def and_not_match_context(self, kind: str, attribute: str, *values: Any) -> RuleBuilder:
        """Also asks that the attribute of the context of this kind is none of the values."""
        return self._ask(kind, attribute, values, negate=True)

    def then_return(self, variation: Variation) -> FlagBuilder:
        """Ends the rule: this is what is served when all it asks for holds."""
        # First: a bool may replace the flag's variations.
        index = self._flag._index(variation)
        self._flag._rules.append({"variation": index, "clauses": list(self._clauses)})
        return self._flag

    def _ask(self, kind: str, attribute: str, values: tuple[Any, ...], *, negate: bool) -> RuleBuilder:
        clause = {"contextKind": kind, "attribute": attribute, "op": "in", "values": list(values), "negate": negate}
        self._clauses.append(clause)
        return self
