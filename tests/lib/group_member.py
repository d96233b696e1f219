"""What group_member.cc is, over librdkafka: the same arguments, the same lines. A program, run by groups_test.py."""
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException

ends = False


def say(line):
    print(time.monotonic_ns(), line, flush=True)


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
        say("committed")
    except KafkaException as problem:
        print("commit:", problem, file=sys.stderr)


def told(what):
    def tell(consumer, partitions):
        if not partitions:
            return
        if what == "revoked":
            commit(consumer)
        say(" ".join([what, *(str(p.partition) for p in partitions)]))
    return tell


def end(*_):
    global ends
    ends = True


def main(bootstrap, group, topic, assignors):
    signal.signal(signal.SIGTERM, end)
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "broker.address.family": "v4", "group.id": group,
        "partition.assignment.strategy": assignors, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "session.timeout.ms": 6000, "heartbeat.interval.ms": 500})
    consumer.subscribe([topic], on_assign=told("assigned"), on_revoke=told("revoked"), on_lost=told("lost"))
    while not ends:
        # Not consume(): in a cooperative rebalance that of librdkafka 2.0.2 drops messages it has taken from its queue.
        message, read = consumer.poll(0.1), 0
        while message is not None and read < 200:
            if not message.error():
                say(f"record {message.partition()} {message.offset()} {message.value().decode()}")
                read += 1
            message = consumer.poll(0)
        if read > 0:
            commit(consumer)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
