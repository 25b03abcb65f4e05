"""How Sphinx builds the documentation: `make site`.

The source is the whole repository, so that links between notebooks, results and code mean there what they mean here.
"""

import pathlib
import sys

from mininet.version import VERSION

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

project, author, version, release = "mininet", "the mininet developers", VERSION, VERSION
project_copyright = "the mininet developers, MIT licence"
root_doc = "docs/index"
include_patterns = ["docs/**", "tutorials/*.ipynb", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"]
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "numpydoc",
    "myst_nb",
    "pages",
    "docstrings",
    "formulas",
    "names",
]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True

autodoc_typehints = "none"  # they stand in the lists of parameters, see docstrings.py
autodoc_inherit_docstrings = False
default_role = "py:obj"
autodoc_mock_imports = ["torch"]
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "mininet"
html_static_path = ["static"]
nb_ipywidgets_js = {}
html_css_files = ["mininet.css"]
html_search_scorer = str(ROOT / "docs" / "scorer.js")
html_show_search_summary = False  # it would fetch pages, which a browser refuses for files
html_sidebars = {"docs/paper": []}  # no page is below it
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "collapse_navigation": True,  # the theme's buttons for it have no name
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
pygments_style = "default"
highlight_language = "text"
