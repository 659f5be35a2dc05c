"""A dataset as PyTorch takes it: `__len__` and `__getitem__`, images and masks as arrays.

    python examples/05_pytorch_dataset.py DATASET

`torch.utils.data.DataLoader` asks no more of a dataset than this, so the class imports no torch; with torch installed,
`DataLoader(ChipDataset("out", "train"), batch_size=8)` gives batches. Needs a dataset with the format `mask-semantic`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import rasterio


class ChipDataset:
    """The chips of one split: (image, mask), image (bands, height, width) float32 in 0..1, mask (height, width) int64.

    A mask holds class ids from 1, 0 is background, 255 (65535 in 16 bits) is to be ignored by the loss.
    """

    def __init__(self, folder: str | Path, split: str) -> None:
        self.folder = Path(folder)
        rows = pq.read_table(self.folder / "chips.parquet").to_pylist()
        self.chips = [row for row in rows if row["split"] == split]
        manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        self.classes = {c["id"]: c["name"] for c in manifest["classes"]}

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chip = self.chips[index]
        with rasterio.open(self.folder / chip["image"]) as raster:
            image = raster.read()
        mask_path = next(path for path in chip["masks"] if path.startswith("masks/semantic/"))
        with rasterio.open(self.folder / mask_path) as raster:
            mask = raster.read(1)
        scale = np.iinfo(image.dtype).max if image.dtype.kind in "iu" else 1
        return image.astype(np.float32) / scale, mask.astype(np.int64)


def main(folder: str) -> None:
    dataset = ChipDataset(folder, "train")
    pixels = np.zeros(max(dataset.classes) + 1, dtype=np.int64)
    for index in range(len(dataset)):
        image, mask = dataset[index]
        if image.shape[1:] != mask.shape:
            sys.exit(f"chip {index}: the image is {image.shape}, the mask {mask.shape}")
        pixels += np.bincount(mask[mask < len(pixels)], minlength=len(pixels))
    print(f"{len(dataset)} chips of {image.shape}")
    for value, name in dataset.classes.items():
        print(f"{name}: {pixels[value]} pixels, {pixels[value] / pixels.sum():.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
