"""The one error of this reader."""

from __future__ import annotations

DAMAGED, TRUNCATED, UNSUPPORTED, LIMIT = "damaged", "truncated", "unsupported", "limit"


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A file, a frame or a block is refused (clause 1.4).

    Attributes
    ----------
    kind : str
        ``damaged``, ``truncated``, ``unsupported``, or ``limit`` for a limit of the caller.
    offset : int
        Byte offset of the record at fault.
    clause : str
        The clause that is broken, or that tells to refuse.
    message : str
        What is wrong, for people.
    """

    def __init__(self, kind: str, offset: int, clause: str, message: str) -> None:
        super().__init__(f"{kind} at {offset} (clause {clause}): {message}")
        self.kind, self.offset, self.clause, self.message = kind, offset, clause, message


def damaged(offset: int, clause: str, message: str) -> Refused:
    """Error for bytes that are wrong."""
    return Refused(DAMAGED, offset, clause, message)


def truncated(offset: int, clause: str, message: str) -> Refused:
    """Error for bytes that end early."""
    return Refused(TRUNCATED, offset, clause, message)


def unsupported(offset: int, clause: str, message: str) -> Refused:
    """Error for what a newer or another reader would understand."""
    return Refused(UNSUPPORTED, offset, clause, message)
