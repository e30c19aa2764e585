"""Draw the pictures of the pages on priors, EM or VB, and singularities, by running the pages' own code.

Every picture that a page saves as NAME.png becomes `docs/images/PAGE-NAME.png`. Run from the repository's root:
`.venv/bin/python docs/make_bayesian_pictures.py`.
"""

import contextlib
import doctest
import re
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from PIL import Image

FOLDER = Path(__file__).resolve().parent
PAGES = ("bayesian", "em-or-vb", "singularities")


def main() -> None:
    """Run the blocks of every page in an empty folder; copy what was drawn with few colours."""
    for page in PAGES:
        text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
        names: dict[str, object] = {"__name__": "documentation"}
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for code in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                examples = doctest.DocTestParser().get_examples(code)
                exec("".join(one.source for one in examples) or code, names)  # noqa: S102 - our own pages
            for path in sorted(Path().glob("*.png")):
                target = FOLDER / "images" / f"{page}-{path.name}"
                with Image.open(path) as picture:
                    small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
                    small.save(target, optimize=True)
                print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
