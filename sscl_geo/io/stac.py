"""Scenes from STAC items: chosen assets become bands."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.remote import without_query
from sscl_geo.io.scene import Scene, cloud_mask_beside, open_scene
from sscl_geo.io.vrt import stack_bands

if TYPE_CHECKING:
    import pystac

type StacSource = str | os.PathLike[str] | Mapping[str, Any] | pystac.Item | pystac.ItemCollection
"""A path or URL of JSON, the JSON itself, or a pystac object; catalogs and collections too."""


def read_items(source: StacSource) -> list["pystac.Item"]:
    """Find the items of a STAC source.

    Args:
        source: an item, an item collection (what a search returns), or a catalog or collection,
            whose items are all taken; as a path, a URL, JSON in a dictionary, or a pystac object.

    Returns:
        the items.

    Raises:
        ConfigError: if pystac is not installed.
        SceneError: if the source cannot be read, is no STAC, or has no item.
    """
    try:
        import pystac
    except ImportError as error:
        raise ConfigError(
            "STAC items are read with pystac, which is missing; install it with "
            "\"pip install 'sscl-geo[stac]'\"."
        ) from error
    href: str | None = None
    found: Any = source
    if isinstance(source, str | os.PathLike):
        href = os.fspath(source)
        found = _read_json(href)
    if isinstance(found, Mapping):
        found = _parse(dict(found), href)
    if isinstance(found, pystac.Item):
        items = [found]
    elif isinstance(found, pystac.ItemCollection):
        items = list(found)
    elif isinstance(found, pystac.Catalog):
        items = list(found.get_items(recursive=True))
    else:
        raise SceneError(
            f"{type(source).__name__} is no STAC source; give a path, a URL, JSON or a pystac "
            "object."
        )
    if not items:
        raise SceneError(f"{_name(href)} holds no STAC item; widen the search that made it.")
    return items


def open_item(item: "pystac.Item", assets: Sequence[str], clouds: CloudMask | None = None) -> Scene:
    """Open assets of a STAC item as one scene.

    Several assets are joined to one virtual raster on the finest grid among them, cut to what all
    cover; coarser ones are interpolated bilinearly. Pixels keep their raw values: scale and offset
    of the ``raster`` extension are not applied.

    Args:
        item: the item.
        assets: keys of the assets, in the order of the bands. An asset with one band gives it its
            key for a name; one with several gives the names that it has in the item or file.
        clouds: cloud mask; its ``band`` is the key of the asset that holds it.

    Returns:
        the scene, with the item's time as its date.

    Raises:
        SceneError: if an asset is missing or cannot be read, or assets do not fit together.
        ConfigError: if no asset is asked for, or the cloud mask is not an asset.
    """
    if not assets:
        raise ConfigError(
            f"No asset of {item.id} was chosen; there are {', '.join(item.assets)}: choose some."
        )
    parts = [open_scene(_href(item, key)) for key in assets]
    names = [n for key, part in zip(assets, parts, strict=True) for n in _names(item, key, part)]
    if len(parts) == 1:
        scene = replace(parts[0], bands=tuple(names))
    else:
        vrt = stack_bands(parts, names)
        scene = open_scene(item.get_self_href() or item.id, vrt=vrt)
    if clouds is not None:
        if not isinstance(clouds.band, str):
            raise ConfigError(
                "The cloud mask of STAC items is one of their assets; name it, for example with "
                "CloudMask.sentinel2_scl(band='scl')."
            )
        mask = cloud_mask_beside(scene, _href(item, clouds.band), replace(clouds, band=1))
        scene = replace(scene, clouds=mask)
    return replace(scene, date=_date(item))


def _read_json(href: str) -> Any:
    import pystac

    try:
        return json.loads(pystac.StacIO.default().read_text(href))
    except Exception as error:
        raise SceneError(
            f"Cannot read {_name(href)} as STAC; give a path or an address of JSON ({error})."
        ) from error


def _parse(content: dict[str, Any], href: str | None) -> Any:
    import pystac

    try:
        if content.get("type") != "FeatureCollection":
            return pystac.read_dict(content, href)
        collection = pystac.ItemCollection.from_dict(content)
    except (pystac.STACError, pystac.STACTypeError, KeyError, TypeError, ValueError) as error:
        raise SceneError(f"{_name(href)} is no valid STAC ({error}); check it.") from error
    for item in collection:
        # Relative addresses are relative to the item, or else to the file that it stands in.
        if href is not None and item.get_self_href() is None:
            item.set_self_href(href)
    return collection


def _href(item: "pystac.Item", key: str) -> str:
    if key not in item.assets:
        raise SceneError(
            f"The STAC item {item.id} has no asset {key}; it has {', '.join(item.assets)}: choose "
            "among these."
        )
    asset = item.assets[key]
    return asset.get_absolute_href() or asset.href


def _names(item: "pystac.Item", key: str, part: Scene) -> tuple[str, ...]:
    """Names of the bands of an asset."""
    if len(part.bands) == 1:
        return (key,)
    fields = item.assets[key].extra_fields
    described = fields.get("bands") or fields.get("eo:bands") or []
    names = tuple(str(band["name"]) for band in described if "name" in band)
    if len(names) == len(part.bands):
        return names
    return tuple(
        f"{key}_{index}" if name == f"band_{index}" else name
        for index, name in zip(part.indexes, part.bands, strict=True)
    )


def _date(item: "pystac.Item") -> datetime | None:
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None or moment.tzinfo is not None:
        return moment if moment is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=UTC)


def _name(href: str | None) -> str:
    return "The STAC source" if href is None else without_query(href)
