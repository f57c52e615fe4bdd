"""The state of all flags for one context, as text for a browser or as values. Depends on ``_json``."""

from __future__ import annotations

from typing import Any

from ._json import loads

__all__ = ["AllFlagsState"]

#: Name of the metadata in the state, and the two ends by which a text tells whether it is valid.
_METADATA, _VALID = "$flagsState", "$valid"
_VALID_END = '"$valid":true}'


class AllFlagsState:
    """Values of all flags for one context with what client-side SDKs need to know about them. Immutable.

    :meth:`to_json` gives what the native library wrote, to be put into a page for LaunchDarkly's JavaScript SDK. It is
    parsed when values are first asked for, and not before.
    """

    __slots__ = ("_parsed", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._parsed: dict[str, Any] | None = None

    @property
    def valid(self) -> bool:
        """False when there were no flags to be had: no context, a client that is not ready, or a Redis that had to be read
        and could not be."""
        return self._text.endswith(_VALID_END)

    def to_json(self) -> str:
        """The JSON text: flags in the byte order of their keys, then ``$flagsState`` and ``$valid``."""
        return self._text

    def to_dict(self) -> dict[str, Any]:
        """The parsed text, ``$flagsState`` and ``$valid`` included; the same object each time, so leave it as it is."""
        if self._parsed is None:
            self._parsed = loads(self._text)
        return self._parsed

    def value(self, key: str) -> Any:
        """Value of a flag; ``None`` when it has none, or when the state has no such flag."""
        return None if key in (_METADATA, _VALID) else self.to_dict().get(key)

    def values(self) -> dict[str, Any]:
        """Every flag's value by its key."""
        return {key: value for key, value in self.to_dict().items() if key not in (_METADATA, _VALID)}

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, AllFlagsState) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"<AllFlagsState {'valid' if self.valid else 'invalid'}, {len(self._text)} characters>"
