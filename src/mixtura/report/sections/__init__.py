"""The sections of the report, one module each.

A section is a function ``context(results) -> dict`` and the template it names; ``id`` and ``title`` make the
entry of the table of contents.
"""
