"""Writes pillow.tsv: what Pillow 13.0 makes of generated pictures. Run: pip install pillow==13.0.0; python pillow.py

Columns: width, height and channels of the picture; shorter side (0: squash); filter; width and height of the result; its
pixels as hex. The picture's bytes are those of `pixels` in src/image/resize/tests.rs. The crop is torchvision's.
"""

from pathlib import Path

from PIL import Image


def picture(width: int, height: int, channels: int) -> Image.Image:
    state, data = width * 1000 + height, bytearray()
    for index in range(width * height * channels):
        state = (state * 1664525 + 1013904223) % 2**32
        # A gradient under noise.
        data.append((index * 7 // channels % 160 + (state >> 24) % 96) % 256)
    return Image.frombytes("L" if channels == 1 else "RGB", (width, height), bytes(data))


def fit(image: Image.Image, shorter: int, name: str, width: int, height: int) -> Image.Image:
    resample = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[name]
    if shorter == 0:
        return image.resize((width, height), resample)
    sides = [side * shorter // min(image.size) for side in image.size]
    left, top = round((sides[0] - width) / 2), round((sides[1] - height) / 2)
    return image.resize(sides, resample).crop((left, top, left + width, top + height))


lines = []
for source in [(37, 23, 3), (23, 64, 1), (5, 4, 3), (90, 3, 3), (3, 80, 1), (64, 64, 1), (12, 13, 3), (12, 14, 3)]:
    for shorter, width, height in [(0, 9, 7), (12, 8, 10), (16, 16, 16), (7, 7, 5)]:
        for name in ["bilinear", "bicubic"]:
            result = fit(picture(*source), shorter, name, width, height)
            lines.append("\t".join(map(str, [*source, shorter, name, width, height, result.tobytes().hex()])))
Path(__file__).with_name("pillow.tsv").write_text("\n".join(lines) + "\n")
