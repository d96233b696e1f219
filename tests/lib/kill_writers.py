"""Producers of librdkafka for mixed_kill_test.py and power_cuts.py:
kill_writers.py BOOTSTRAP TOPIC PARTITIONS FIRST EACH JOURNAL [sync]. With `sync` a line of the journal is on the disk of the
machine that lives on before the next one begins.

EACH idempotent ones, numbered from FIRST, then EACH transactional ones. The journal has a line for each thing that a
producer was told: `a VALUE PARTITION OFFSET` acknowledged, `f VALUE WHY` not; `c WRITER:N` committed, `b WRITER:N` aborted,
`u WRITER:N WHY` not known. Values are i:WRITER:N and t:WRITER:N:I. It prints `progress ACKNOWLEDGED COMMITTED`, and ends at
SIGTERM, when nothing is open.
"""
import os
import signal
import sys
import threading

from confluent_kafka import KafkaException, Producer

OUTSTANDING, RECORDS, DEADLINE_S = 10, 8, 60


class Writers:
    def __init__(self, bootstrap, topic, partitions, journal, synced=False):
        self.bootstrap, self.topic, self.partitions = bootstrap, topic, partitions
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_SYNC if synced else 0)
        self.journal, self.lock = os.fdopen(os.open(journal, flags, 0o644), "w", buffering=1, encoding="utf-8"), threading.Lock()
        self.acknowledged = self.committed = 0
        self.stopped = threading.Event()

    def producer(self, **more):
        return Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "reconnect.backoff.max.ms": 100,
                         "log_level": 0, **{name.replace("_", "."): value for name, value in more.items()}})

    def note(self, line):
        with self.lock:
            self.journal.write(line + "\n")

    def told(self, error, message):
        value = message.value().decode()
        if error:
            return self.note(f"f {value} {error}")
        self.note(f"a {value} {message.partition()} {message.offset()}")
        with self.lock:
            self.acknowledged += 1

    def write(self, number):
        producer, n = self.producer(), 0
        while not self.stopped.is_set():
            if len(producer) >= OUTSTANDING:
                producer.poll(0.05)
                continue
            producer.produce(self.topic, f"i:{number}:{n}", partition=n % self.partitions, on_delivery=self.told)
            producer.poll(0)
            n += 1
        producer.flush(DEADLINE_S)

    def transact(self, number):
        producer, n = None, -1
        while not self.stopped.is_set():
            n += 1
            name = f"{number}:{n}"
            try:
                if producer is None:
                    producer = self.producer(transactional_id=f"librdkafka-{number}")
                    producer.init_transactions(DEADLINE_S)
                producer.begin_transaction()
                for i in range(RECORDS):
                    producer.produce(self.topic, f"t:{name}:{i}", partition=i % self.partitions)
                if n % 5 == 4:
                    self.retried(producer, producer.abort_transaction)
                    self.note(f"b {name}")
                    continue
                self.retried(producer, producer.commit_transaction)
                self.note(f"c {name}")
                with self.lock:
                    self.committed += 1
            except KafkaException as problem:
                self.note(f"u {name} {problem}")
                producer = None

    @staticmethod
    def retried(producer, end):
        """Ends a transaction as librdkafka wants it: again while it says so, aborted if it must be."""
        while True:
            try:
                return end(DEADLINE_S)
            except KafkaException as problem:
                error = problem.args[0]
                if error.retriable():
                    continue
                if error.txn_requires_abort():
                    producer.abort_transaction(DEADLINE_S)
                raise


def main():
    bootstrap, topic, partitions, first, each, journal, *more = sys.argv[1:]
    writers = Writers(bootstrap, topic, int(partitions), journal, synced=more == ["sync"])
    threads = [threading.Thread(target=run, args=(number,), daemon=True) for i in range(int(each))
               for run, number in ((writers.write, int(first) + i), (writers.transact, int(first) + int(each) + i))]
    signal.signal(signal.SIGTERM, lambda *_: writers.stopped.set())
    for thread in threads:
        thread.start()
    while not writers.stopped.wait(0.1):
        print(f"progress {writers.acknowledged} {writers.committed}", flush=True)
    for thread in threads:
        thread.join(2 * DEADLINE_S)
    writers.journal.close()
    print("closed", flush=True)


if __name__ == "__main__":
    main()
