"""What the tools of this folder share: the tree, its presets and programs, running things with a deadline."""
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"  # Debian's: python3-confluent-kafka is installed for this one
JOBS = os.cpu_count() or 2


def build(preset, targets=()):
    """Configures and builds; raises SystemExit with a plain line if that fails."""
    env = dict(os.environ, NINJA_STATUS="[%f/%t, %es] ")
    steps = [["cmake", "--preset", preset, "--log-level=WARNING"]]
    steps.append(["cmake", "--build", "--preset", preset, "-j", str(JOBS)])
    if targets:
        steps[-1] += ["--target", *targets]
    print(f"build: preset {preset}", flush=True)
    for step in steps:
        quiet = step[1] == "--preset"
        if subprocess.run(step, cwd=ROOT, env=env, stdout=subprocess.DEVNULL if quiet else None).returncode:
            raise SystemExit(f"the build of preset {preset} failed: {' '.join(step)}")


def configure(preset):
    if subprocess.run(["cmake", "--preset", preset, "--log-level=WARNING"], cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"preset {preset} cannot be configured")


def programs(preset, kind):
    """{name: path} of the programs of a kind that CMake registered (see cmake/weir.cmake)."""
    listing = ROOT / "build" / preset / "programs.txt"
    rows = [line.split(" ", 2) for line in listing.read_text().splitlines() if line] if listing.exists() else []
    return {name: path for k, name, path in rows if k == kind}


def run(command, timeout_s, env=None):
    """(exit code or None at the deadline, output). The whole process group is ended with the command."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    code = None
    try:
        output, _ = process.communicate(timeout=timeout_s)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # leaves a sanitizer's or a core's trace where there is one
        try:
            output, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return code, output.decode(errors="replace")
