"""Write what the lock holds as CycloneDX: `python -m tests.sbom fairuse.cdx.json`."""

import sys
from pathlib import Path

from tests.sbom.bill import bill

Path(sys.argv[1]).write_text(bill())
