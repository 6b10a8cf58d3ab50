"""Signals by name: a mapping in which the name of a group of detectors answers too."""

from __future__ import annotations

import numpy as np

from .errors import UsageError
from .signal import Signal


class Signals(dict[str, Signal]):
    """The declared signals by name; a group's name also answers, as one signal that reads as the members' sum."""

    def __init__(self, signals: dict[str, Signal]) -> None:
        super().__init__(signals)
        self._groups: dict[str, list[str]] = {}
        for signal in signals.values():
            if signal.group:
                self._groups.setdefault(signal.group, []).append(signal.name)

    def group(self, name: str) -> list[str]:
        """Names of the signals that `name` stands for: itself, or the members of the group."""
        return [name] if dict.__contains__(self, name) else list(self._groups.get(name, ()))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.group(name))

    def __missing__(self, name: str) -> Signal:
        members = self.group(name)
        if not members:
            raise UsageError(f"the journal has no signal {name!r}; it has {', '.join(self)}")
        item = {**self[members[0]].to_json(), "name": name}
        item.pop("group")
        if item["kind"] != "events":
            kind = np.result_type(*(self[member].dtype for member in members)).kind
            item["dtype"] = {"u": "uint64", "i": "int64", "f": "float64"}[kind]
        return Signal.from_json(item)
