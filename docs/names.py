"""How readers find a name: tables of what a page of the reference documents, and parameters in the search."""

from docutils import nodes
from sphinx.addnodes import desc, desc_content, desc_signature, pending_xref
from sphinx.domains import ObjType
from sphinx.domains.python import PythonDomain
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective


class _Names(nodes.Element):
    """Stands where a table of names will be."""


class Names(SphinxDirective):
    """``.. names:: page``: the classes and functions of a page of the reference, or else of this one, in a table."""

    optional_arguments = 1

    def run(self):
        """Leave a place: which names there are is known once all pages are read."""
        return [_Names(page=f"docs/reference/{self.arguments[0]}" if self.arguments else self.env.docname)]


class Tables(SphinxPostTransform):
    """Fill these places, with links."""

    default_priority = 5  # before links are resolved

    def run(self, **kwargs):
        """Write a table for each."""
        for place in list(self.document.findall(_Names)):
            body = nodes.tbody("", *(self._row(place["page"], found) for found in self._documented(place["page"])))
            group = nodes.tgroup("", nodes.colspec(colwidth=30), nodes.colspec(colwidth=70), body, cols=2)
            place.replace_self(nodes.table("", group, classes=["names"]))

    def _documented(self, page):
        doctree = self.document if page == self.env.docname else self.env.get_doctree(page)
        return [found for found in doctree.findall(desc) if not isinstance(found.parent, desc_content)]

    def _row(self, page, found):
        """The name as a link, and the first paragraph of what is said of it."""
        (anchor,) = found[0]["ids"]
        address = self.app.builder.get_relative_uri(self.env.docname, page)
        name = nodes.literal(text=found[0]["fullname"])
        link = nodes.reference("", "", name, internal=True, refuri=f"{address}#{anchor}")
        summary = found[-1].next_node(nodes.paragraph).deepcopy()
        for each in summary.findall(pending_xref):
            each["refdoc"] = self.env.docname
        return nodes.row("", nodes.entry("", nodes.paragraph("", "", link)), nodes.entry("", summary))


def _name_parameters(app, doctree):
    """Make each parameter an object, to which the search and links lead."""
    domain = app.env.domains.python_domain
    for signature in doctree.findall(desc_signature):
        for name, term in _parameters(signature.parent[-1]):
            for anchor in signature["ids"]:
                term["ids"].append(f"{anchor}.{name}-parameter")
                if f"{anchor}.{name}" not in domain.objects:
                    domain.note_object(f"{anchor}.{name}", "parameter", term["ids"][-1])


def _parameters(content):
    for field in (field for fields in content if isinstance(fields, nodes.field_list) for field in fields):
        if field[0].astext() == "Parameters":
            for term in field[1].findall(nodes.term):
                for name in term[0].astext().split(", "):
                    yield name.lstrip("*"), term


def setup(app):
    """Called by Sphinx."""
    PythonDomain.object_types["parameter"] = ObjType("parameter")
    app.add_directive("names", Names)
    app.add_post_transform(Tables)
    app.connect("doctree-read", _name_parameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
