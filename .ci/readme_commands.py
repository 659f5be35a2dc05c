"""Print the README's examples that carry the mark `<!-- runs -->` as one shell script, in order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text(encoding="utf-8")
blocks = re.findall(r"<!-- runs -->\n```(\w+)\n(.*?)```", text, flags=re.DOTALL)
if not blocks:
    sys.exit("README has no example marked as run.")
for language, body in blocks:
    print(f"python - <<'EXAMPLE'\n{body}EXAMPLE" if language == "python" else body)  # noqa: T201
