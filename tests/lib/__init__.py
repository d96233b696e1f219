"""Helpers of the whole-process tests: ports, processes, weir's broker, Apache Kafka. Standard library only."""
