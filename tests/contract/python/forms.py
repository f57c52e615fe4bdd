"""Requests of the harness: JSON objects whose properties are read by their types. Depends on nothing."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


class Refused(Exception):
    """A request that gets an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Form:
    """A JSON object of a request: each property has the type that is asked for, and ``null`` is the same as none."""

    def __init__(self, data: object, name: str = "") -> None:
        if not isinstance(data, dict):
            raise Refused(400, f"{name or 'the body'} is no object")
        self._data: dict[str, Any] = data
        self._prefix = f"{name}." if name else ""

    def anything(self, name: str) -> Any:
        return self._data.get(name)

    def get(self, name: str, kind: type[T]) -> T | None:
        value = self._data.get(name)
        if value is None:
            return None
        if type(value) is not kind:  # a bool is no int here
            raise Refused(400, f"{self._prefix}{name} is no {kind.__name__}")
        return value

    def need(self, name: str, kind: type[T]) -> T:
        value = self.get(name, kind)
        if value is None:
            raise Refused(400, f"{self._prefix}{name} is missing")
        return value

    def form(self, name: str) -> Form | None:
        value = self._data.get(name)
        return None if value is None else Form(value, self._prefix + name)

    def need_form(self, name: str) -> Form:
        return Form(self.need(name, dict), self._prefix + name)

    def forms(self, name: str) -> list[Form]:
        return [Form(item, self._prefix + name) for item in self.get(name, list) or []]

    def texts(self, name: str) -> list[str]:
        items = self.get(name, list) or []
        if not all(isinstance(item, str) for item in items):
            raise Refused(400, f"{self._prefix}{name} has an item that is no text")
        return items
