"""Draw the pictures of the tutorial by running its own code, into `docs/images/tutorial-*.png`.

Run from the repository's root: `.venv/bin/python docs/make_tutorial_pictures.py`.
"""

import contextlib
import re
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from PIL import Image

FOLDER = Path(__file__).parent
LAST = "tree.png"


def main() -> None:
    """Run the page's blocks up to the last picture; copy each picture with few colours."""
    page = (FOLDER / "tutorial.md").read_text(encoding="utf-8")
    target = (FOLDER / "images").resolve()
    names: dict[str, object] = {"__name__": "tutorial"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for code in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            statements = (
                re.sub(r"^(?!>>> |\.\.\. ).*$", "", code, flags=re.MULTILINE) if ">>>" in code else code
            )
            exec(re.sub(r"^(>>> |\.\.\. )", "", statements, flags=re.MULTILINE), names)  # noqa: S102 - our own page
            if LAST in code:
                break
        for path in sorted(Path().glob("*.png")):
            with Image.open(path) as picture:
                small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
                small.save(target / f"tutorial-{path.name}", optimize=True)


if __name__ == "__main__":
    main()
