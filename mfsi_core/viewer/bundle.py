"""Bundle: a page as one self-contained HTML file: ``python -m mfsi_core.viewer.bundle viewer.html``.

Browsers load no modules and no workers for pages from ``file:``. So the page carries all modules as text, and
`loader.js` makes addresses of them. It works the same on any host of files, as in the documentation.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import sys
from pathlib import Path

from .files import STATIC, page_files

IMPORTED = re.compile(r"""^(?!\s*(?://|\*)).*(?:\b(?:from |import )"|new URL\(`)(\.[^"`$]+)["$]""", re.MULTILINE)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
SCRIPT = re.compile(r'<script src="([^"]+)"></script>')
ENTRY = re.compile(r'<script type="module" src="([^"]+)"></script>')


def bundle(page: str = "viewer.html") -> str:
    """Return a page of the package as one file.

    Parameters
    ----------
    page : str
        Its name, ``viewer.html`` or ``planner.html``.
    """
    text = (STATIC / page).read_text("utf-8")
    styles = "\n".join((STATIC / name).read_text("utf-8") for name in STYLE.findall(text))
    scripts = [(STATIC / name).read_text("utf-8") for name in SCRIPT.findall(text)]
    (entry,) = ENTRY.findall(text)
    loader = (STATIC / "loader.js").read_text("utf-8")
    modules = json.dumps(_modules(entry), ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    inline = "".join(f"<script>{script}</script>\n" for script in scripts)
    held = f'<script type="application/json" id="modules" data-entry="{entry}">{modules}</script>'
    text = POLICY.sub(lambda found: _policy(found[1], [*scripts, loader], styles), text)
    text = STYLE.sub("", SCRIPT.sub("", ENTRY.sub("", text)))
    head, end, body = text.partition("</head>")
    body, closing, rest = body.partition("</body>")
    return f"{head}{inline}<style>{styles}</style>\n{end}{body}{held}\n<script>{loader}</script>\n{closing}{rest}"


def _modules(entry: str) -> dict[str, str]:
    """Text of a module and of all that it imports, by address."""
    files, out, todo = page_files(), dict[str, str](), [entry]
    while todo:
        name = todo.pop()
        if name not in out:
            out[name] = files[name].read_text("utf-8")
            todo += [
                posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
                for path in IMPORTED.findall(out[name])
            ]
    return out


def _policy(policy: str, scripts: list[str], styles: str) -> str:
    """Policy of the page with its own scripts and styles in it, and nothing else."""
    allowed = {
        "script-src": " ".join([*map(_digest, scripts), "blob:", "'wasm-unsafe-eval'"]),
        "worker-src": "blob:",
        "style-src": _digest(styles),
    }
    parts = (part.strip().partition(" ") for part in policy.split(";"))
    told = "; ".join(f"{name} {allowed.get(name, values)}" for name, _, values in parts)
    return f'<meta http-equiv="Content-Security-Policy" content="{told}">'


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.write_text(bundle(out.name), "utf-8")
