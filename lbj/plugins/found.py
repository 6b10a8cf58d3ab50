"""Entry points: plugins that installed packages announce, listed, loaded and blamed by name."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import LbjError, PluginError, UsageError

OURS = "mfsi"  # the package whose names no other takes
LOADING = 60.0  # s, that the import of a plugin's module may take


@dataclass(frozen=True)
class Plugin:
    """A function that an installed package provides.

    Attributes
    ----------
    group, name : str
        Of its entry point.
    package, version : str
        That provides it.
    entry : EntryPoint
    """

    group: str
    name: str
    package: str
    version: str
    entry: importlib.metadata.EntryPoint

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.package} {self.version}"

    def load(self) -> Callable[..., Any]:
        """Import the function; what its module prints on the way goes to the standard error.

        Raises
        ------
        PluginError
            If the import fails or takes more than a minute, or finds no function.
        """
        box: list[Any] = []
        thread = threading.Thread(target=self._load, args=(box,), daemon=True)
        with contextlib.redirect_stdout(sys.stderr):
            thread.start()
            thread.join(LOADING)
        if not box:
            raise PluginError(f"{self}: the import of {self.entry.value} takes more than {LOADING:g} s")
        found = box[0]
        if isinstance(found, BaseException):
            raise PluginError(f"{self}: {self.entry.value} cannot be imported: {said(found)}") from found
        if not callable(found):
            raise PluginError(f"{self}: {self.entry.value} is {kind(found)}; a function is expected")
        function: Callable[..., Any] = found
        return function

    def _load(self, box: list[Any]) -> None:
        try:
            box.append(self.entry.load())
        except BaseException as error:  # noqa: BLE001 a module may even raise SystemExit
            box.append(error)

    @contextlib.contextmanager
    def blamed(self, where: str, spared: type[LbjError] = PluginError) -> Iterator[None]:
        """Name the plugin in what is raised inside, but for errors that are `spared`.

        Raises
        ------
        PluginError
        """
        try:
            yield
        except spared:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"{self} failed on {where}: {said(error)}") from error


def installed(group: str) -> list[Plugin]:
    """Return the plugins of a group, by name and package; none is imported.

    A package whose list of entry points cannot be read is passed over.
    """
    return list(_installed(group, tuple(sys.path)))


@functools.lru_cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[Plugin, ...]:
    out: dict[tuple[str, str], Plugin] = {}
    for distribution in importlib.metadata.distributions(path=list(path)):
        with contextlib.suppress(Exception):  # whatever a broken installation leads the parser to raise
            package, version = distribution.metadata["Name"], distribution.version
            for entry in distribution.entry_points:
                if entry.group == group:
                    one = Plugin(group, entry.name, str(package), str(version), entry)
                    out.setdefault((one.name, one.package), one)
    return tuple(out[key] for key in sorted(out))


def named(group: str, name: str) -> Plugin:
    """Return one plugin; where we provide one of this name ourselves, that.

    Raises
    ------
    UsageError
        If there is none of this name, or two other packages provide one.
    """
    known = installed(group)
    found = [one for one in known if one.name == name]
    found = [one for one in found if one.package == OURS] or found
    if not found:
        listed = ", ".join(one.name for one in known) or "none: no installed package provides one"
        raise UsageError(f"there is no plugin {name!r} in {group}; there are {listed}")
    if len(found) > 1:
        packages = " and ".join(f"{one.package} {one.version}" for one in found)
        raise UsageError(f"plugin {name!r} in {group} is provided by {packages}; uninstall all but one")
    return found[0]


def as_suffix(name: str) -> str:
    """Suffix that a plugin for a kind of files is named after, with or without its dot."""
    return "." + name.lower().removeprefix(".")


def said(error: BaseException) -> str:
    """Type and words of an error, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def kind(value: Any) -> str:
    """What a value is, in words."""
    return f"of type {type(value).__name__}"
