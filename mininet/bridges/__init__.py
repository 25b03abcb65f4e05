"""Ways into other frameworks; each needs an extra, such as ``pip install 'momentum-mininet[torch]'``."""
