"""A bundle's golden samples as perf_analyzer's input data: samples.py BUNDLE FILE

Random numbers would do for pictures, but most are no tokens.
"""

import json
import sys
from pathlib import Path

from test_triton_client import Model

bundle, file = Path(sys.argv[1]), Path(sys.argv[2])
samples = Model(bundle).samples["input"]
# The last sample alone: perf_analyzer puts samples into one request only if they are of one shape.
row = {
    name: {"content": array[-1].flatten().tolist(), "shape": list(array.shape[1:]) or [1]}
    for name, array in samples.items()
}
file.write_text(json.dumps({"data": [row]}))
