"""The commands of the command line, a file each: ``add_options`` and ``run``, whose docstring is its description."""
