"""Label files of CAT12 before about r1000 (2015 to 2016): tables of rows, brought into today's form.

    <S><ROI><ATLAS><tr><td>ROIid</td><td>ROIabbr</td><td>Vgm</td></tr><tr><td>1</td><td>lHip</td><td>2.1</td></tr>...

No genuine file of that time was at hand; the form is that of CAT12's source (cat_io_xml, cat_roi_fun).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from pniflow.errors import InputError

_NAMES = ("ROIabbr", "ROIappr", "ROIname", "lROIname", "rROIname")
_IDS = ("ROIid", "id")


def modern(root: Element, source: str) -> Element:
    """Return a tree in today's form; one that has it already is returned as it is.

    Raises
    ------
    InputError
        A table without a column of names, with names per side, or with rows of different lengths.
    """
    held = root.find("ROI")
    if held is None:
        return root
    result = Element("S")
    for atlas in held:
        # The oldest files hold a level more, one table per measure.
        for table in [element for element in atlas.iter() if element.find("tr") is not None]:
            rows = [[(cell.text or "").strip() for cell in row.findall("td")] for row in table.findall("tr")]
            _add(result, atlas.tag, rows, f"{source}: {atlas.tag}")
    return result


def _add(root: Element, atlas: str, rows: list[list[str]], place: str) -> None:
    header, body = rows[0], rows[1:]
    named = [column for column in _NAMES if column in header]
    if not named or set(named) >= {"lROIname", "rROIname"}:
        raise InputError(f"{place}: the table has no single column of region names ({', '.join(_NAMES)}).")
    uneven = next((number for number, row in enumerate(body, start=2) if len(row) != len(header)), None)
    if uneven:
        raise InputError(f"{place}: row {uneven} has another number of cells than the header.")
    columns = {name: [row[place] for row in body] for place, name in enumerate(header)}
    data = _data_of(
        root, atlas, columns[named[0]], next((columns[name] for name in _IDS if name in columns), None)
    )
    for name, cells in columns.items():
        if name not in (*_NAMES, *_IDS):
            SubElement(data, name).text = f"[{';'.join(cell or 'NaN' for cell in cells)}]"


def _data_of(root: Element, atlas: str, names: list[str], ids: list[str] | None) -> Element:
    """Return the data element of an atlas with these names; made where the atlas has none yet."""
    for element in root.findall(atlas):
        if [item.text for item in element.findall("names/item")] == names:
            return element.findall("data")[0]
    element = SubElement(root, atlas)
    listed = SubElement(element, "names")
    for name in names:
        SubElement(listed, "item").text = name
    if ids:
        SubElement(element, "ids").text = f"[{';'.join(ids)}]"
    return SubElement(element, "data")
