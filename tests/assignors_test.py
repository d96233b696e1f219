"""Our range and roundrobin assignors and Kafka's own give the same to every member of random groups."""
import shutil
import time
import unittest

from lib import broker, java, proc

GROUPS = 3000


def by_member(text):
    """MEMBER=T-0+T-1,… with each member's partitions in order."""
    return {member: sorted(owned.split("+")) for member, owned in (pair.split("=", 1) for pair in text.split(","))}


class Assignors(unittest.TestCase):
    def test_assignments_agree_with_kafkas_in_random_groups(self):
        classes = java.classes()
        self.addCleanup(shutil.rmtree, classes, ignore_errors=True)
        seed = time.time_ns()
        ours = proc.run([broker.helper("assignor_probe"), seed, GROUPS]).out
        theirs = proc.run(java.command("AssignorProbe", classes), stdin=ours).out
        self.assertEqual(len(ours.splitlines()), GROUPS)
        for our, their in zip(ours.splitlines(), theirs.splitlines(), strict=True):
            for name, mine, other in zip(("range", "roundrobin"), our.split(" ")[2:], their.split(" ")[2:], strict=True):
                self.assertEqual(by_member(mine), by_member(other), f"seed {seed}, {name}: {our}")


if __name__ == "__main__":
    unittest.main()
