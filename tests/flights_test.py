"""The independent count of the flights, against the facts in the README of the data."""
import random
import tempfile
import unittest

from lib import flights
from lib.broker import ROOT

DATA = ROOT / "examples" / "airport" / "data"


class Totals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.totals = flights.totals(DATA)

    def test_the_whole_year_gives_the_known_counts(self):
        everything = self.totals["all"]
        self.assertEqual(everything["flights"], 336_776)
        self.assertEqual(everything["cancelled"], 8_255)
        self.assertEqual(everything["largest_delay"], 1_301)
        self.assertAlmostEqual(everything["mean_delay"], 12.639070, places=6)

    def test_the_groups_add_up_to_the_whole(self):
        groups = self.totals["by_origin_and_airline"]
        for figure in ("flights", "cancelled", "seats", "delay_minutes", "with_delay"):
            self.assertEqual(sum(g[figure] for g in groups.values()), self.totals["all"][figure], figure)
        by_origin = {origin: sum(g["flights"] for key, g in groups.items() if key.startswith(origin)) for origin in ("EWR", "JFK", "LGA")}
        self.assertEqual(by_origin, {"EWR": 120_835, "JFK": 111_279, "LGA": 104_662})

    def test_dropped_rows_are_missing_from_the_totals(self):
        with tempfile.TemporaryDirectory() as folder:
            dropped = flights.drop_rows(DATA, folder, random.Random(7), 50)
            self.assertGreater(dropped, 5_000)
            self.assertEqual(flights.totals(folder)["all"]["flights"], 336_776 - dropped)
