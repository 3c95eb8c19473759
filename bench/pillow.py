#!/usr/bin/env python3
"""Pillow on the work of `cargo bench -p quintet-server --bench decode photograph`: JPEG files of the
same sizes to 224x224 pixels, decoded whole and at a reduced scale. Needs Pillow and NumPy.
"""

import io
import time

import numpy as np
from PIL import Image

SIZES = {"0.3": (640, 427), "12": (4032, 3024), "24": (5664, 4248), "50": (8160, 6144)}
SHORTER, SIDE = 256, 224


def picture(width, height):
    """The benchmark's picture: smooth colours under grain."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    levels = [x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)]
    grain = ((x * 31) ^ (y * 17)) % 13
    pixels = np.stack([(level + grain).clip(0, 255) for level in levels], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=75)
    return file.getvalue()


def row(file, is_reduced):
    image = Image.open(io.BytesIO(file))
    if is_reduced:
        image.draft("RGB", (2 * SHORTER, 2 * SHORTER))
    image = image.convert("RGB")
    width, height = image.size
    short = min(width, height)
    size = (SHORTER * width // short, SHORTER * height // short)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = ((side - SIDE) // 2 for side in size)
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def main():
    print("| megapixels | whole ms | at a reduced scale ms |\n|---|---|---|")
    for name, size in SIZES.items():
        file, times = picture(*size), []
        for is_reduced in (False, True):
            runs = []
            for _ in range(5):
                started = time.process_time()
                row(file, is_reduced)
                runs.append(time.process_time() - started)
            times.append(sorted(runs)[2] * 1e3)
        print(f"| {name} | {times[0]:.1f} | {times[1]:.1f} |")


if __name__ == "__main__":
    main()
