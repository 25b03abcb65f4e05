"""The web server of the tests of downloads."""

import importlib.util
import pathlib

_path = pathlib.Path(__file__).parents[1] / "datasets" / "conftest.py"
_module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("web_server", _path))
_module.__spec__.loader.exec_module(_module)
server = _module.server
