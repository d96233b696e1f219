"""What injection_test.py does to a broker whose system calls fail: each scenario acts, remembers what it was told, and judges."""
