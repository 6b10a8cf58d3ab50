"""The documentation, built by ``sphinx-build -W -b html docs docs/_build``: the gallery runs, and no warning passes."""

import shutil
from pathlib import Path

from lbj.version import __version__

ROOT = Path(__file__).parents[1]

project, author, copyright = "lbj and mfsi_core", "the mfsi developers", "the mfsi developers"  # noqa: A001
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "benchmarks", "gallery", "Thumbs.db"]  # benchmarks.md includes the fragments
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 3,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_title = "lbj and mfsi_core"
html_extra_path = ["_pages"]
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["config.cache"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False  # types are words, and "path" is no link to an attribute of that name
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": "/plot_",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
}


def _copy(_app):
    """Put what lies elsewhere in the repository where pages can point to it: the standard, and the browser's pages."""
    from mfsi_core.viewer.bundle import bundle

    shutil.copytree(ROOT / "spec", ROOT / "docs" / "spec", dirs_exist_ok=True, ignore=shutil.ignore_patterns("LICENSE"))
    suite = ROOT / "docs" / "conformance"
    suite.mkdir(exist_ok=True)
    for name in ("protocol.md", "manifest.json", "manifest.schema.json"):
        shutil.copyfile(ROOT / "conformance" / name, suite / name)
    shutil.rmtree(ROOT / "docs" / "_pages", ignore_errors=True)
    pages = ROOT / "docs" / "_pages" / "pages"  # apart from the documents, one of which is viewer.html too
    pages.mkdir(parents=True)
    for name in ("viewer.html", "planner.html"):
        (pages / name).write_text(bundle(name), "utf-8")


def setup(app):
    """Called by Sphinx."""
    app.connect("config-inited", lambda app, _config: _copy(app))
