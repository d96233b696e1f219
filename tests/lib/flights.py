"""The totals of the flights, straight from a folder of CSV files: what the demo's table is held against.

Written from the meaning of the columns and sharing nothing with the C++ of the demo. A flight without a departure time is
cancelled; a flight that flew carries the seats of its plane, 0 where the plane is not known.
"""
import csv
import io
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


def read_csv(folder, name):
    """The rows of NAME.csv, or of NAME.csv.zst, as dictionaries."""
    plain, packed = Path(folder) / f"{name}.csv", Path(folder) / f"{name}.csv.zst"
    if plain.exists():
        text = plain.read_text(encoding="utf-8")
    else:
        text = subprocess.run(["zstd", "-dcq", str(packed)], check=True, capture_output=True).stdout.decode("utf-8")
    return csv.DictReader(io.StringIO(text, newline=""))


class Figures:
    """Of one (origin, airline), or of all."""

    def __init__(self):
        self.flights = self.cancelled = self.delayed_minutes = self.with_delay = self.seats = 0
        self.largest_delay = None

    def add(self, flight, seats):
        self.flights += 1
        if flight["dep_time"] == "NA":
            self.cancelled += 1
            return
        self.seats += seats
        if flight["dep_delay"] != "NA":
            delay = int(float(flight["dep_delay"]))
            self.with_delay += 1
            self.delayed_minutes += delay
            self.largest_delay = delay if self.largest_delay is None else max(self.largest_delay, delay)

    def as_dict(self):
        mean = self.delayed_minutes / self.with_delay if self.with_delay else None
        return {"flights": self.flights, "cancelled": self.cancelled, "mean_delay": mean, "largest_delay": self.largest_delay,
                "seats": self.seats, "delay_minutes": self.delayed_minutes, "with_delay": self.with_delay}


def totals(folder):
    """{"all": figures, "by_origin_and_airline": {"EWR UA": figures, ...}}, figures as Figures.as_dict gives them."""
    seats = {plane["tailnum"]: int(plane["seats"]) for plane in read_csv(folder, "planes") if plane["seats"] != "NA"}
    everything, groups = Figures(), defaultdict(Figures)
    for flight in read_csv(folder, "flights"):
        carried = seats.get(flight["tailnum"], 0)
        everything.add(flight, carried)
        groups[f"{flight['origin']} {flight['carrier']}"].add(flight, carried)
    return {"all": everything.as_dict(), "by_origin_and_airline": {key: groups[key].as_dict() for key in sorted(groups)}}


def drop_rows(source, target, rng, one_in):
    """Copies the folder uncompressed, leaving out about one flight in `one_in` as `rng` (random.Random) says; how many."""
    dropped = 0
    for name in ("flights", "planes", "airports", "airlines"):
        rows = read_csv(source, name)
        with open(Path(target) / f"{name}.csv", "w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows.fieldnames, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                if name == "flights" and rng.randrange(one_in) == 0:
                    dropped += 1
                else:
                    writer.writerow(row)
    return dropped


if __name__ == "__main__":
    print(json.dumps(totals(sys.argv[1]), indent=1))
