"""The course as pages that any browser shows, without a server and without a network.

``python -m mininet.course.site --output site`` writes them: the notebooks as they were run, the pages of results, the
README, and all code that these lead to.  Addresses follow the repository: ``tutorials/01_x.ipynb`` becomes
``tutorials/01_x.html``, ``mininet/kernels/exact.py`` becomes ``mininet/kernels/exact.py.html``.

`build` collects the pages and follows their links, with `markdown`, `notebook` and `mathematics` for what is on them;
``page.html``, ``home.html`` and ``style.css`` say how they look.  It needs jupyter, which belongs to the development
dependencies, so nothing else of mininet imports it.
"""
