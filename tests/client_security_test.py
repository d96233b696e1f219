"""The client over TLS and SASL against Apache Kafka: everybody who may is let in, everybody else hears why not."""
import base64
import json
import re
import shutil
import tempfile
import time
import unittest
from pathlib import Path

from lib import broker, certificates, kafka, proc

PASSWORD = "correct-horse.canary="
RENEWAL_MS = 4_000
LOAD_S = 20
LISTENERS = {"TLS": "SSL", "MUTUAL": "SSL", "OTHERNAME": "SSL", "SASLPLAIN": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL",
             "RENEW": "SASL_SSL"}
MODULES = {
    "plain": f'plain.PlainLoginModule required user_alice="{PASSWORD}"',
    "scram-sha-256": "scram.ScramLoginModule required",
    "scram-sha-512": "scram.ScramLoginModule required",
    "oauthbearer": "oauthbearer.OAuthBearerLoginModule required",
}

DOC = broker.ROOT / "docs" / "security.md"


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def unsecured_token(name="alice", lifetime_s=3600):
    """What Kafka's own unsecured validator takes; for tests alone."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    now = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': name, 'iat': now, 'exp': now + lifetime_s})}."


def server_settings(authority, server, other_name):
    """What Kafka is told of its listeners."""
    settings = {"sasl.enabled.mechanisms": ",".join(name.upper() for name in MODULES)}
    for name, protocol in LISTENERS.items():
        prefix = f"listener.name.{name.lower()}."
        if protocol.endswith("SSL"):
            settings |= {prefix + "ssl.keystore.type": "PEM", prefix + "ssl.truststore.type": "PEM",
                         prefix + "ssl.keystore.location": other_name if name == "OTHERNAME" else server,
                         prefix + "ssl.truststore.location": authority.file}
        if protocol.startswith("SASL"):
            settings |= {f"{prefix}{mechanism}.sasl.jaas.config": f"org.apache.kafka.common.security.{module};"
                         for mechanism, module in MODULES.items()}
    settings["listener.name.mutual.ssl.client.auth"] = "required"
    for mechanism in MODULES:
        settings[f"listener.name.renew.{mechanism}.connections.max.reauth.ms"] = RENEWAL_MS
    return settings


class SecureClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="weir-certificates-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.authority = certificates.Authority(cls.folder)
        server = cls.authority.sign("server", hosts=["localhost"], addresses=["127.0.0.1"])
        other_name = cls.authority.sign("other", hosts=["other.example"])
        cls.client = cls.authority.sign("alice")
        users = [word for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
                 for word in ("--add-scram", f'{mechanism}=[name=alice,iterations=8192,password="{PASSWORD}"]')]
        cls.kafka = kafka.Kafka(heap="512m", listeners=LISTENERS, format_args=users,
                                settings=server_settings(cls.authority, server, other_name))
        cls.addClassCleanup(cls.kafka.stop)
        cls.probe = broker.helper("secure_client_probe")

    def settings(self, listener, mechanism=None, **more):
        """Those of a client that is let in; what `more` says instead, dots written as underscores."""
        settings = {"bootstrap.servers": self.kafka.at[listener], "security.protocol": LISTENERS[listener],
                    "ssl.truststore.location": self.authority.file}
        if mechanism == "OAUTHBEARER":
            settings |= {"sasl.mechanism": mechanism, "probe.token": unsecured_token()}
        elif mechanism:
            settings |= {"sasl.mechanism": mechanism, "sasl.username": "alice", "sasl.password": PASSWORD}
        settings |= {name.replace("_", "."): value for name, value in more.items()}
        return {name: value for name, value in settings.items() if value is not None}

    def run_probe(self, *mode, settings, expect=0, deadline_s=120):
        words = [f"{name}={value}" for name, value in settings.items()]
        done = proc.run([self.probe, *mode, *words], deadline_s=deadline_s, expect=expect)
        self.assertNotIn("canary", done.err)
        self.assertNotIn("canary", done.out)
        return done

    def let_in(self, settings):
        self.assertRegex(self.run_probe("connect", "-", settings=settings).out, "^connected to .+\n$")

    def refused(self, settings, code, message):
        begin = time.monotonic()
        done = self.run_probe("connect", "-", settings=settings, expect=1)
        self.assertRegex(done.err, f"connect: {code} .*{message}")
        return time.monotonic() - begin

    def test_each_mechanism_is_let_in_with_and_without_tls(self):
        for listener in ("SASLPLAIN", "SASLTLS"):
            for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"):
                with self.subTest(listener=listener, mechanism=mechanism):
                    self.let_in(self.settings(listener, mechanism))

    def test_records_groups_and_transactions_pass_over_tls_and_sasl(self):
        for n, (listener, mechanism) in enumerate([("TLS", None), ("SASLTLS", "SCRAM-SHA-512"), ("SASLPLAIN", "SCRAM-SHA-256"),
                                                   ("SASLTLS", "OAUTHBEARER")]):
            with self.subTest(listener=listener, mechanism=mechanism):
                done = self.run_probe("all", f"all-{n}", settings=self.settings(listener, mechanism))
                self.assertEqual(done.out, "all 2000 records\n")

    def test_each_version_of_tls_alone(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            self.let_in(self.settings("TLS", ssl_enabled_protocols=version))

    def test_a_client_certificate_lets_in_where_one_is_required(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(version):
                mutual = self.settings("MUTUAL", ssl_enabled_protocols=version)
                self.let_in(mutual | {"ssl.keystore.location": self.client, "ssl.keystore.type": "PEM"})
                self.let_in(mutual | {"ssl.keystore.location": certificates.pkcs12(self.client, "hush"),
                                      "ssl.keystore.password": "hush", "ssl.keystore.type": "PKCS12"})
                text = self.client.read_text()
                key_end = text.index("-----BEGIN CERTIFICATE")
                self.let_in(mutual | {"ssl.keystore.certificate.chain": text[key_end:].replace("\n", " "),
                                      "ssl.keystore.key": text[:key_end], "ssl.truststore.location": "",
                                      "ssl.truststore.certificates": self.authority.file.read_text()})

    def test_a_missing_or_foreign_client_certificate_is_told(self):
        stranger = certificates.Authority(self.folder, "somebody else").sign("mallory")
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(version):
                mutual = self.settings("MUTUAL", ssl_enabled_protocols=version)
                self.refused(mutual, "tls_handshake_failed", "wants a client certificate; set ssl.keystore.location")
                self.refused(mutual | {"ssl.keystore.location": stranger}, "tls_handshake_failed", "certificate")

    def test_a_wrong_name_is_told_with_the_names_that_there_are(self):
        took = self.refused(self.settings("OTHERNAME"), "tls_handshake_failed",
                            r"the server's certificate is not for 127\.0\.0\.1: it is for other\.example")
        self.assertLess(took, 5)
        self.let_in(self.settings("OTHERNAME", ssl_endpoint_identification_algorithm=""))

    def test_an_unknown_authority_is_told(self):
        stranger = certificates.Authority(self.folder, "nobody")
        self.refused(self.settings("TLS", ssl_truststore_location=stranger.file), "tls_handshake_failed",
                     "is signed by CN=weir test authority, which is not trusted")
        self.refused(self.settings("TLS", ssl_truststore_location=None), "tls_handshake_failed", "which is not trusted")

    def test_a_wrong_password_is_told_at_once(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                wrong = self.settings("SASLTLS", mechanism, sasl_password="wrong-canary")
                self.assertLess(self.refused(wrong, "sasl_authentication_failed", f"{mechanism} refused: "), 5)
                self.refused(wrong | {"sasl.username": "nobody"}, "sasl_authentication_failed", f"{mechanism} refused: ")
        self.refused(self.settings("SASLTLS", "OAUTHBEARER", probe_token=unsecured_token(lifetime_s=-7200)),
                     "sasl_authentication_failed", "OAUTHBEARER refused: ")

    def test_the_wrong_kind_of_port_is_told(self):
        self.refused(self.settings("TLS", security_protocol="PLAINTEXT", socket_connection_setup_timeout_ms="3000"),
                     "(tls_handshake_failed|connection_closed)", "TLS")
        plain = {"bootstrap.servers": self.kafka.address, "ssl.truststore.location": self.authority.file,
                 "socket.connection.setup.timeout.ms": "3000"}
        self.refused(plain | {"security.protocol": "SSL"}, "(tls_handshake_failed|connection_closed)", "plain-text port")
        self.refused(plain | {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice",
                              "sasl.password": PASSWORD}, "illegal_sasl_state", "takes no SASL on this port")
        self.refused(self.settings("SASLPLAIN", security_protocol="PLAINTEXT", socket_connection_setup_timeout_ms="3000"),
                     "connection_closed", "does this port want SASL")

    def test_sessions_are_renewed_under_load_and_nothing_is_lost(self):
        for mechanism in ("SCRAM-SHA-512", "OAUTHBEARER"):
            with self.subTest(mechanism):
                done = self.run_probe("load", f"load-{mechanism}", LOAD_S, settings=self.settings("RENEW", mechanism))
                sent, renewals, others = map(int, re.fullmatch(r"sent=(\d+) renewals=(\d+) other=(\d+)\n", done.out).groups())
                self.assertGreater(sent, 1_000)
                # Produce, fetch, commits and metadata have connections of their own.
                self.assertGreaterEqual(renewals, LOAD_S * 1000 // RENEWAL_MS * 2)
                self.assertEqual(others, 0, done.err)

    def test_the_command_line_takes_the_same_settings(self):
        file = self.folder / "client.properties"
        file.write_text(f"security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location={self.authority.file}\n"
                        f"bootstrap.servers={self.kafka.at['SASLTLS']}\nsasl.mechanism=SCRAM-SHA-512\n"
                        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n"
                        f'  username="alice" password="{PASSWORD}";\n')
        def weir(*args, **kwargs):
            done = broker.weir(*args, **kwargs)
            self.assertNotIn("canary", done.out + done.err)
            return done
        weir("topic", "create", "by-cli", "--command-config", file)
        weir("produce", "by-cli", "--command-config", file, stdin="one\ntwo\n")
        env = {"WEIR_COMMAND_CONFIG": str(file)}
        self.assertIn("by-cli", weir("topic", "list", "-o", "name", env=env).out)
        self.assertEqual(weir("consume", "by-cli", "--output", "value", env=env).out, "one\ntwo\n")
        failed = weir("topic", "list", "--command-config", file, "-X", "sasl.mechanism=SCRAM-SHA-256", "-X", "sasl.jaas.config="
                      "ScramLoginModule required username=alice password=other-canary;", expect=1)
        self.assertIn("sasl_authentication_failed", failed.err)
        self.assertIn("did you mean sasl.mechanism?", weir("topic", "list", "-X", "sasl.mechanisn=PLAIN", expect=1).err)

    def test_a_token_comes_from_a_file_or_a_command(self):
        token = self.folder / "token"
        token.write_text(unsecured_token() + "\n")
        words = ["-b", self.kafka.at["SASLTLS"], "-X", "security.protocol=SASL_SSL", "-X", "sasl.mechanism=OAUTHBEARER",
                 "-X", f"ssl.truststore.location={self.authority.file}"]
        broker.weir("topic", "list", *words, "-X", f"sasl.oauthbearer.token.endpoint.url=file://{token}")
        broker.weir("topic", "list", *words, "-X", f"weir.sasl.token.command=cat {token}")
        failed = broker.weir("topic", "list", *words, "-X", "weir.sasl.token.command=exit 7", expect=1)
        self.assertIn("a command ended with code 7", failed.err)

    def test_every_example_of_the_page_runs(self):
        page = DOC.read_text()
        folder = self.folder / "page"
        folder.mkdir()
        (folder / "token").write_text(unsecured_token())
        shutil.copy(certificates.pkcs12(self.client, "change-me"), folder / "till-7.p12")
        places = {"broker-1.example:9093": self.kafka.at["SASLTLS"], "broker-1.example:9094": self.kafka.at["MUTUAL"],
                  "/etc/weir/authority.pem": str(self.authority.file), "/etc/weir/till-7.pem": str(self.client),
                  "/run/weir/token": str(folder / "token")}
        user = {"till-7": "alice", "change-me": PASSWORD}
        files = re.findall(r"```properties\n(.*?)```", page, re.S)
        self.assertGreater(len(files), 3)
        for n, text in enumerate(files):
            for old, new in (places | user).items():
                text = text.replace(old, new)
            file = folder / ("client.properties" if n == 0 else f"client-{n}.properties")
            file.write_text(text)
            with self.subTest(text):
                broker.weir("topic", "list", "--command-config", file)
        for block in re.findall(r"```sh\n(.*?)```", page, re.S):
            with self.subTest(block):
                proc.run(["bash", "-ec", f'weir() {{ "{broker.program()}" "$@"; }}\n{block}'], cwd=folder)
        program = lines((broker.ROOT / "examples" / "client" / "secure_guide.cc").read_text())
        for block in re.findall(r"```cpp\n(.*?)```", page, re.S):
            self.assertIn("\n".join(lines(block)), "\n".join(program))
        guide = Path(broker.program()).parents[2] / "examples" / "client" / "secure_guide"
        done = proc.run([guide, self.kafka.at["SASLTLS"], self.authority.file, "alice", PASSWORD, unsecured_token()])
        self.assertEqual(done.out, "both clients were let in\n")


if __name__ == "__main__":
    unittest.main()
