"""The schema registry over TLS: foreign clients, certificates of clients, forwarding to a leader, and what is wrong told clearly."""
import http.client
import json
import socket
import ssl
import tempfile
import unittest
from pathlib import Path

from lib import proc
from lib.broker import WeirBroker, weir
from lib.certificates import Authority, pkcs12
from lib.registry import WeirRegistry, WeirUp, node_client, python_client
from lib.waiting import poll_until

DEADLINE_S = 60
USER = ("ann", "geheim")


def trusting(authority, certificate=None):
    context = ssl.create_default_context(cafile=authority.file)
    if certificate:
        context.load_cert_chain(certificate)
    return context


class RegistryOverTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        cls.authority = Authority(cls.folder)
        cls.stranger = Authority(cls.folder, "somebody else")
        cls.certificate = cls.authority.sign("registry", ["localhost"], ["127.0.0.1"])
        cls.password = cls.folder / "password"
        cls.password.write_text(USER[1] + "\n")
        cls.broker = WeirBroker(cls.folder / "data", ["--set", "group.initial.rebalance.delay.ms=0"])

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.temporary.cleanup()

    def registry(self, *args, keystore=None, trust=None, client=None):
        """One of this test's own stream, with a user."""
        name = f"_schemas-{self.id().rsplit('.', 1)[1]}"
        started = WeirRegistry(self.broker.address, [
            "--topic", name, "--changes-topic", f"{name}.changes", "--group", name, "--auth", f"{USER[0]}:{self.password}",
            "--ssl-keystore-location", keystore or self.certificate, "--ssl-truststore-location", (trust or self.authority).file, *args])
        self.addCleanup(started.process.stop)
        started.user, started.tls = USER, trusting(self.authority, client)
        return started

    def refused(self, *args):
        """What a registry says that does not start."""
        done = weir("registry", "--bootstrap", self.broker.address, "--listen", "127.0.0.1:0", *args, expect=None)
        self.assertNotEqual(done.code, 0)
        return done.err

    def test_it_says_https_and_serves_it(self):
        registry = self.registry()
        self.assertTrue(registry.url.startswith("https://"), registry.url)
        self.assertEqual(registry.register("a", '"string"').body["id"], 1)
        self.assertEqual(registry.call("GET", "/subjects").body, ["a"])
        self.assertEqual(registry.call("GET", "/subjects", user=None).status, 401)
        with socket.create_connection(("127.0.0.1", registry.port)) as plain:
            with registry.tls.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                self.assertEqual(secure.version(), "TLSv1.3")

    def test_python_client(self):
        registry = self.registry()
        settings = {"ssl.ca.location": str(self.authority.file), "basic.auth.user.info": ":".join(USER)}
        command, env = python_client("confluent_registry.py", registry.url, self.broker.address, json.dumps(settings))
        with proc.Process(command, env=env) as process:
            process.wait_for_line("^done$", DEADLINE_S * 2)

    def test_node_clients(self):
        registry = self.registry()
        for script in ("kafkajs_registry.mjs", "confluent_registry.mjs"):
            with self.subTest(script):
                with proc.Process(node_client(script, registry.url, ":".join(USER), self.authority.file)) as process:
                    process.wait_for_line("^done$", DEADLINE_S)

    def test_clients_show_a_certificate(self):
        alice = self.authority.sign("alice")
        registry = self.registry("--ssl-client-authentication", "required", client=alice)
        self.assertEqual(registry.call("GET", "/subjects").status, 200)
        for wrong in (None, self.stranger.sign("eve")):
            with self.subTest(wrong), self.assertRaises((ssl.SSLError, ConnectionError)):
                registry.call("GET", "/subjects", tls=trusting(self.authority, wrong))
        self.assertRegex(poll_until(lambda: "TLS handshakes failed" in registry.log() and registry.log(), DEADLINE_S, "a line"),
                         "certificate")

    def test_a_certificate_that_is_only_requested_may_be_missing(self):
        registry = self.registry("--ssl-client-authentication", "requested")
        self.assertEqual(registry.call("GET", "/subjects").status, 200)

    def test_the_two_sides_are_told_that_they_do_not_fit(self):
        registry = self.registry()
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            registry.call("GET", "/subjects", deadline_s=10, tls=None)
        line = poll_until(lambda: "handshakes failed" in registry.log() and registry.log(), DEADLINE_S, "a line about it")
        self.assertRegex(line, "plain|http")
        with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_VERIFY_FAILED"):
            registry.call("GET", "/subjects", tls=trusting(self.stranger))

    def test_a_follower_forwards_to_its_leader(self):
        leader = self.registry()
        self.assertEqual(leader.register("a", '"string"').body["id"], 1)
        follower = self.registry("--follower")
        poll_until(lambda: "the leader is https://" in follower.log(), DEADLINE_S, "a follower")
        for n in range(10):
            self.assertEqual(follower.register(f"r{n}", json.dumps({"type": "fixed", "name": f"R{n}", "size": 1})).body["id"], n + 2)
        self.assertEqual(leader.call("GET", "/subjects/r9/versions").body, [1])

    def test_leader_and_follower_show_each_other_their_certificates(self):
        strict = ["--ssl-client-authentication", "required"]
        client = self.authority.sign("alice")
        leader = self.registry(*strict, client=client)
        self.assertEqual(leader.register("a", '"string"').body["id"], 1)
        follower = self.registry("--follower", *strict, client=client)
        poll_until(lambda: "the leader is https://" in follower.log(), DEADLINE_S, "a follower")
        self.assertEqual(follower.register("b", '"long"').body["id"], 2)

    def test_a_follower_that_does_not_believe_its_leader_says_so(self):
        leader = self.registry()
        self.assertEqual(leader.register("a", '"string"').body["id"], 1)
        follower = self.registry("--follower", trust=self.stranger)
        poll_until(lambda: "the leader is https://" in follower.log(), DEADLINE_S, "a follower")
        answer = follower.register("b", '"long"')
        self.assertEqual(answer.code, 50003, answer)
        self.assertRegex(answer.body["message"], "https://127.0.0.1:.*certificate")

    def test_files_that_are_wrong_are_named(self):
        self.assertIn("--ssl-keystore-location", self.refused("--ssl-keystore-location", self.authority.file))
        self.assertIn("missing.pem", self.refused("--ssl-keystore-location", self.folder / "missing.pem"))
        self.assertIn("--ssl-keystore-location", self.refused("--ssl-key-location", self.certificate))
        self.assertIn("--ssl-truststore-location",
                      self.refused("--ssl-keystore-location", self.certificate, "--ssl-client-authentication", "required"))
        self.assertIn("none,requested,required",
                      self.refused("--ssl-keystore-location", self.certificate, "--ssl-client-authentication", "maybe").replace(", ", ","))

    def test_up_takes_pkcs12_and_a_key_of_its_own(self):
        together = pkcs12(self.certificate, USER[1])
        with WeirUp(self.folder / "up-1", ["--ssl-keystore-location", together, "--ssl-key-password-file", self.password]) as up:
            up.tls = trusting(self.authority)
            self.assertEqual(up.register("a", '"string"').body["id"], 1)
        chain, key = self.certificate.with_suffix(".crt"), self.certificate.with_suffix(".key")
        with WeirUp(self.folder / "up-2", ["--ssl-keystore-location", chain, "--ssl-key-location", key]) as up:
            up.tls = trusting(self.authority)
            self.assertEqual(up.register("a", '"string"').body["id"], 1)


if __name__ == "__main__":
    unittest.main()
