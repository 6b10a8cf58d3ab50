"""Personal data: names, addresses, accounts and paths in metadata are recognised and removed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

WORDS = {
    "account", "address", "affiliation", "analyst", "author", "authors", "contact", "creator", "customer", "email",
    "experimenter", "fax", "firstname", "fullname", "host", "hostname", "investigator", "lastname", "login", "mail",
    "operator", "operators", "orcid", "owner", "person", "personal", "persons", "phone", "surname", "telephone", "user",
    "userid", "username", "users",
}  # fmt: skip
"""Words of names of members that hold personal data; ``operatorName`` and ``OPERATOR_NAME`` hold one of them."""

PLACES = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # an address of electronic mail
    r"|(?:[A-Za-z]:|\\\\[\w.$-]+)[\\/](?:[^\\/:*?\"<>|\n]+[\\/])+"  # folders of a disk or a server
    r"|/(?:home|Users|users|media|mnt|run)/(?:[^/\s:;,'\"]+/)*"
)
REMOVED = "…"
SHORTEST = 3  # letters that a name must have to be looked for in other texts
WORDS_OF_A_NAME = 4  # a text of more words is no name, and its words are not looked for one by one


class Scrubber:
    """Removes personal data from descriptions, and remembers what was removed from where.

    Parameters
    ----------
    names : iterable of str
        Texts that are removed wherever they stand, such as what personal records hold.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.removed: list[str] = []
        long = sorted({name.strip() for name in names if len(name.strip()) >= SHORTEST}, key=len, reverse=True)
        parts = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in long]
        self._names = re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def clean(self, value: Any, where: str) -> Any:
        """Return a JSON value without personal data; members whose names say that they are personal are left out."""
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, list):
            return [self.clean(one, where) for one in value]
        if not isinstance(value, dict):
            return value
        out = {}
        for name, inner in value.items():
            place = f"{where}.{name}" if where else name
            if is_personal(name):
                self.say(f"{place} left out")
            else:
                out[name] = self.clean(inner, place)
        return out

    def say(self, line: str) -> None:
        """Note what was removed, once."""
        if line not in self.removed:
            self.removed.append(line)

    def _text(self, text: str, where: str) -> str:
        out = PLACES.sub(REMOVED, text)
        if self._names is not None:
            out = self._names.sub(REMOVED, out)
        if out != text:
            self.say(f"{where}: names, addresses or folders in its text replaced by {REMOVED}")
        return out


def is_personal(name: str) -> bool:
    """Tell whether the name of a member says that it holds personal data."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    joined = {a.lower() + b.lower() for a, b in pairwise(parts)}
    return bool(WORDS & ({part.lower() for part in parts} | joined))


def personal_texts(value: Any, *, inside: bool = False) -> set[str]:
    """Return the texts that stand in members with personal names, and all texts `inside` of personal records."""
    if isinstance(value, str):
        return {value} if inside else set()
    if isinstance(value, list):
        return set().union(*(personal_texts(one, inside=inside) for one in value))
    if isinstance(value, dict):
        return set().union(*(personal_texts(one, inside=inside or is_personal(key)) for key, one in value.items()))
    return set()


def names_in(texts: Iterable[str]) -> set[str]:
    """Return texts, and the words with a capital letter of those that may be a person's name."""
    out = set(texts)
    for text in texts:
        words = re.findall(r"[^\W\d_]+", text)
        if len(words) <= WORDS_OF_A_NAME:
            out |= {word for word in words if word[0].isupper()}
    return out


def without_names(files: Any) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the source's files under names that say nothing but their format, and the names that they had."""
    out, names = [], set()
    for number, item in enumerate(files if isinstance(files, list) else [], 1):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            names.add(item["name"])
            out.append({**item, "name": f"file-{number}{os.path.splitext(item['name'])[1]}"})
    return out, names
