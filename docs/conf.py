"""Settings of the documentation, which ``make docs`` builds."""

import contextlib
import io
import os
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

import snaps
from snaps.cli import main

project = "neuron-snaps"
author = "the neuron-snaps developers"
copyright = "2026, the neuron-snaps developers"
version = release = snaps.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
default_role = "py:obj"

html_theme = "pydata_sphinx_theme"
html_title = "snaps"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
}
# Only the reference has pages below it.
html_sidebars: dict[str, list[str]] = {"*": [], "notebooks/*": []}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# A notebook is run when it has changed; its outputs are cached beside the pages.
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "jupyter_cache")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


class CommandHelp(Directive):
    """Insert the help text of a command, so that the page and the program agree."""

    required_arguments = 0
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, object]] = {}

    def run(self) -> list[nodes.Node]:
        """Run the command with ``--help``."""
        os.environ["COLUMNS"] = "80"
        command = self.arguments[0].split() if self.arguments else []
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            status = main([*command, "--help"])
        if status:
            raise self.error(f"`snaps {' '.join(command)} --help` ended with status {status}")
        return [nodes.literal_block(text=shown.getvalue().rstrip(), language="text")]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
