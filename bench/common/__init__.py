"""What the benchmarks share: results, the machine, brokers under measurement. Standard library only."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]  # the helpers of the whole-process tests: lib.*
