"""XML for the files that a GIS reads beside a map."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Text without the control characters that XML 1.0 cannot hold; it is escaped when written."""
    return _FORBIDDEN.sub("", text)


def child(parent: ET.Element, tag: str, text: object = "", **attributes: object) -> ET.Element:
    """Append an element with text and attributes; both are escaped when written."""
    element = ET.SubElement(parent, tag, {k: xml_text(str(v)) for k, v in attributes.items()})
    element.text = xml_text(str(text)) or None
    return element


def write_xml(root: ET.Element, path: Path, doctype: str = "") -> None:
    """Write a document as UTF-8.

    Args:
        root: its root element.
        path: file to write.
        doctype: document type declaration to stand before the root, or nothing.
    """
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    path.write_text(f"{doctype}\n{body}\n" if doctype else f"{body}\n", encoding="utf-8")
