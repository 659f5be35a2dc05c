"""What the bands of a raster are: red, near infrared, elevation... as far as the file says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiles.info import RasterInfo

ROLES: Final = ("red", "green", "blue", "nir")
"""What a band can be for the presets."""

# Band names as Sentinel-2 and Landsat 8/9 products give them, beside the plain words.
_NAMES: Final = {
    "red": ("b4", "b04"),
    "green": ("b3", "b03"),
    "blue": ("b2", "b02"),
    # Landsat's near infrared is B5; Sentinel-2 has B05 at the red edge, and B8 or B08 as well.
    "nir": ("nir08", "near infrared", "nearinfrared", "b8", "b08", "b5"),
}


def roles(info: RasterInfo) -> dict[str, int]:
    """Which band is red, green, blue and near infrared, as far as the file says it.

    By color interpretation; else by the bands' names (`red`, `nir`, `B4`/`B04`...: Sentinel-2 and Landsat 8/9). Four
    bands of which nothing is said are red, green, blue and near infrared, in this order: aerial imagery comes so.
    """
    shown = [band for band in info.bands if band.color_interp != "alpha"]
    by_color = {band.color_interp: band.index for band in reversed(shown)}
    found: dict[str, int] = {role: by_color[role] for role in ROLES if role in by_color}
    if not {"red", "green", "blue"} <= set(found):
        by_name = {(band.description or "").strip().lower(): band.index for band in reversed(shown)}
        for words in zip(*([role, *_NAMES[role][:2]] for role in ROLES[:3]), strict=True):
            if all(word in by_name for word in words):
                found = {role: by_name[word] for role, word in zip(ROLES, words, strict=False)}
                break
        # A number is another band on another satellite; a word is what it says, also without the others.
        found = found or {role: by_name[role] for role in ROLES[:3] if role in by_name}
        if not found and len(shown) == 4:
            found = {role: band.index for role, band in zip(ROLES, shown, strict=True)}
        infrared = next((by_name[name] for name in ("nir", *_NAMES["nir"]) if name in by_name), None)
        return found if infrared is None else {**found, "nir": infrared}
    if "nir" not in found and len(shown) == 4:
        found["nir"] = next(band.index for band in shown if band.index not in found.values())
    return found


def default_bands(info: RasterInfo) -> tuple[int, ...]:
    """What is shown unless asked otherwise: red, green and blue (see `roles`), else the first three bands, else the first."""
    found = roles(info)
    if {"red", "green", "blue"} <= set(found):
        return found["red"], found["green"], found["blue"]
    shown = [band for band in info.bands if band.color_interp != "alpha"] or list(info.bands)
    return tuple(band.index for band in (shown[:3] if len(shown) >= 3 else shown[:1]))


def data_bands(info: RasterInfo) -> tuple[int, ...]:
    """All bands without alpha; the alpha band of a raster that has no other."""
    found = tuple(band.index for band in info.bands if band.color_interp != "alpha")
    return found or (1,)


def scaling(info: RasterInfo, bands: tuple[int, ...]) -> tuple[tuple[float, float], ...] | None:
    """(scale, offset) of bands, value = stored * scale + offset; None when all are stored as they are."""
    found = tuple((info.bands[band - 1].scale, info.bands[band - 1].offset) for band in bands)
    return None if all(pair == (1.0, 0.0) for pair in found) else found
