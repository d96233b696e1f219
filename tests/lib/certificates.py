"""Certificates for tests, made by the openssl command in a folder of the test; none is kept."""
from pathlib import Path

from lib import proc


class Authority:
    """One that signs; `file` is its certificate."""

    def __init__(self, folder, name="weir test authority"):
        self.folder = Path(folder)
        self.stem = name.replace(" ", "-")
        self.file = self.folder / f"{self.stem}.pem"
        self.key = self.folder / f"{self.stem}.key"
        _request(self.file, self.key, name, ["-addext", "basicConstraints=critical,CA:TRUE",
                                             "-addext", "keyUsage=critical,keyCertSign,cRLSign"])

    def sign(self, name, hosts=(), addresses=()):
        """The file with key, certificate and authority of `name`, in PEM."""
        certificate, key = self.folder / f"{self.stem}-{name}.crt", self.folder / f"{self.stem}-{name}.key"
        names = ",".join([f"DNS:{host}" for host in hosts] + [f"IP:{address}" for address in addresses])
        _request(certificate, key, name, ["-CA", self.file, "-CAkey", self.key, "-addext", "basicConstraints=critical,CA:FALSE",
                                          *(["-addext", f"subjectAltName={names}"] if names else [])])
        whole = self.folder / f"{self.stem}-{name}.pem"
        whole.write_text(key.read_text() + certificate.read_text() + self.file.read_text())
        return whole


def pkcs12(pem, password):
    """The same as a PKCS#12 file."""
    out = Path(pem).with_suffix(".p12")
    proc.run(["openssl", "pkcs12", "-export", "-in", pem, "-out", out, "-passout", f"pass:{password}"])
    return out


def _request(certificate, key, name, extensions):
    proc.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out",
              certificate, *extensions])
