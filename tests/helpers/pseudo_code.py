"""The pseudo-code of spec/*.md as Python."""

import re
from pathlib import Path

SPEC = Path(__file__).parents[2] / "spec"


def python(pseudo):
    """The notation of spec/baseline.md as Python."""
    out = []
    for line in pseudo.splitlines():
        text = line.split("#")[0].rstrip()
        text = re.sub(r"\bdiv\b", "//", re.sub(r"\bmod\b", "%", text)).replace("<>", "!=").replace("^", "**")
        indent, word, rest = re.fullmatch(r"( *)(\w*)(.*)", text).groups()
        if word in {"procedure", "function"}:
            text = f"def{rest}:"
        elif word == "for":
            text = re.sub(r" (\w+) = (.*) to (.*)", r"for \1 in range(\2, (\3) + 1):", rest)
        elif word == "repeat":
            text = f"for _ in range({rest[: -len(' times')]}):"
        elif word in {"if", "while", "else"}:
            text = word + re.sub(r"(?<![<>!])=", "==", rest) + ":"
        else:
            text = word + rest
        out.append(indent + text if word else "")
    return "\n".join(out)


def run(page, names):
    """Define in `names` what the blocks of a page define."""
    for block in re.findall(r"```text\n(.*?)```", (SPEC / page).read_text(), re.DOTALL):
        exec(python(block), names)
    return names
