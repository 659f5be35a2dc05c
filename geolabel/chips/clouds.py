"""Where clouds hide the ground: a registered mask, or a plugin that finds them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geolabel import plugins
from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Band, Scene


class CloudFinder(Protocol):
    """Finds clouds in the pixels of one chip."""

    def __call__(
        self, image: NDArray[Any], valid: NDArray[np.bool_], bands: Sequence[Band], scene: Scene
    ) -> NDArray[np.bool_]:
        """Say where clouds, and their shadows, are.

        Args:
            image: (bands, height, width), all bands of the scene, raw values.
            valid: (height, width) True where there is data.
            bands: what they are.
            scene: what they are of.

        Returns:
            (height, width) True on clouds.
        """


@cache
def finders() -> Mapping[str, CloudFinder]:
    """The plugins that find clouds, by name."""
    found: dict[str, CloudFinder] = {}

    def register(name: str, finder: CloudFinder) -> None:
        found[name] = finder

    plugins.manager().hook.register_cloud_masks(register=register)
    return found


@plugins.hookimpl
def register_cloud_masks(register: Callable[[str, CloudFinder], None]) -> None:
    """Offer what geolabel brings: ukis-csmask, if it is installed."""
    register("ukis-csmask", _ukis_csmask)


def check_clouds(spec: ChipSpec, scenes: Sequence[Scene], registered: Mapping[str, Scene]) -> Mapping[str, Scene]:
    """The scenes that say where clouds are, by the scene that they are for.

    Args:
        spec: names them.
        scenes: of the project.
        registered: every scene of the workspace, by id.

    Raises:
        InvalidSpec: a scene or a plugin that is not there.
    """
    if spec.cloud_mask is None:
        return {}
    if isinstance(spec.cloud_mask, str):
        if spec.cloud_mask not in finders():
            raise InvalidSpec(
                f"cloud_mask names no plugin: expected one of {', '.join(sorted(finders()))}, got {spec.cloud_mask!r}."
            )
        return {}
    own = {scene.id for scene in scenes}
    masks = {}
    for name, mask in spec.cloud_mask:
        if name not in own:
            raise InvalidSpec(f"cloud_mask names scene {name!r}; the project has {', '.join(sorted(own))}.")
        if mask not in registered:
            raise InvalidSpec(
                f"cloud_mask names {mask!r}, which is not registered; add the raster with `geolabel scene add`."
            )
        masks[name] = registered[mask]
    return masks


_NAMES = {
    "blue": {"blue", "b02", "b2"},
    "green": {"green", "b03", "b3"},
    "red": {"red", "b04", "b4"},
    "nir": {"nir", "nir08", "b08", "b8"},
    "swir16": {"swir16", "swir1", "b11"},
    "swir22": {"swir22", "swir2", "b12"},
}
"""Names of bands, as STAC and Sentinel-2 have them."""


def _ukis_csmask(
    image: NDArray[Any], valid: NDArray[np.bool_], bands: Sequence[Band], scene: Scene
) -> NDArray[np.bool_]:
    try:
        from ukis_csmask.mask import CSmask  # noqa: PLC0415 (an optional package, and heavy)
    except ImportError as error:
        raise InvalidSpec("cloud_mask='ukis-csmask' needs the package: pip install 'ukis-csmask[cpu]'.") from error
    chosen = {name: i for i, band in enumerate(bands) for name, known in _NAMES.items() if band.name.lower() in known}
    if not {"blue", "green", "red", "nir"} <= set(chosen):
        have = ", ".join(band.name for band in bands)
        raise InvalidSpec(
            f"ukis-csmask needs bands named blue, green, red and nir (swir16 and swir22 too, if there are); scene {scene.id!r} has {have}."
        )
    order = list(chosen)
    pixels = np.moveaxis(image[[chosen[name] for name in order]], 0, -1).astype(np.float32)
    if image.dtype.kind in "iu":  # reflectance in ten-thousandths, or in 8 bits
        pixels /= 255.0 if image.dtype == np.uint8 else 10_000.0
    # It works on tiles of 256 pixels.
    height, width = valid.shape
    padded = np.pad(
        pixels,
        ((0, max(256 - height, 0)), (0, max(256 - width, 0)), (0, 0)),
        mode="reflect" if min(height, width) > 128 else "edge",
    )
    found = CSmask(padded, band_order=order, product_level="l2a", invalid_buffer=0)
    return np.asarray((found.csm[:height, :width, 0] > 0) & valid)
