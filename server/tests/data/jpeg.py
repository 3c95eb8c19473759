"""Writes the JPEG files of this folder: `pip install pillow==13.0.0; python jpeg.py`.

A stroke on white paper, in 40x28 pixels of colour: `progressive.jpg` has a scan for each part of the
precision, `restarts.jpg` restart markers.
"""

from PIL import Image, ImageDraw

picture = Image.new("RGB", (40, 28), "white")
ImageDraw.Draw(picture).line([(8, 5), (30, 6), (16, 24)], fill=(30, 30, 90), width=4)
for x in range(40):
    picture.putpixel((x, x * 7 % 28), (200, 30 + x, 90))
picture.save("progressive.jpg", progressive=True, quality=60)
picture.save("restarts.jpg", quality=70, restart_marker_blocks=1)
