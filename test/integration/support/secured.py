"""A broker with a listener for each way to be misunderstood, and the certificates that it needs."""

import pathlib
import random
import socket
import subprocess
import tempfile

from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from .broker import Broker

USER, PASSWORD = "app", "correct horse"
PORT_ATTEMPTS = 5
JAAS = "org.apache.kafka.common.security"


class Certificates:
    """An authority, and a certificate of it for 127.0.0.1."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-subj", "/CN=broker", "-keyout", "broker.key", "-out", "broker.csr")
        (self._folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "extensions", "-out", "broker.pem")
        self.authority = self._read("ca.pem")
        self.keystore = self._folder / "keystore.pem"
        self.keystore.write_text(self._read("broker.key") + self._read("broker.pem") + self.authority)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def _read(self, name):
        return (self._folder / name).read_text()


def free_ports(count):
    """Loopback ports that nobody uses, below those that outgoing connections get."""
    lowest_ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    highest = lowest_ephemeral if lowest_ephemeral > 12000 else 65536
    found = set()
    while len(found) < count:
        port = random.randrange(10000, highest)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.add(port)
    return list(found)


class SecuredBroker(Broker):
    """Listens in plain text, by TLS, by SASL over both; and in plain text under an address that leads nowhere."""

    LISTENERS = ("PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT", "LOST")

    def __init__(self):
        self._files = tempfile.TemporaryDirectory()
        pathlib.Path(self._files.name).chmod(0o755)
        certificates = Certificates(self._files.name)
        self.authority = certificates.authority
        for attempt in range(1, PORT_ATTEMPTS + 1):
            settings = self._choose_ports() | self._security(certificates)
            try:
                super().__init__(settings, port=self.port["PLAINTEXT"])
                break
            except RuntimeError as error:
                if "is in use" not in str(error) or attempt == PORT_ATTEMPTS:
                    raise
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        self.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())])[USER].result()

    def _choose_ports(self):
        controller, self.nowhere, *ports = free_ports(2 + len(self.LISTENERS))
        self.port = dict(zip(self.LISTENERS, ports))
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.port.items())
        return {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners.replace(str(self.port["LOST"]), str(self.nowhere)),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,"
                                              "LOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }

    @staticmethod
    def _security(certificates):
        settings = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificates.keystore,
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        }
        for name in ("sasl_ssl", "sasl_plaintext"):
            settings[f"listener.name.{name}.plain.sasl.jaas.config"] = (
                f'{JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";')
            settings[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = f"{JAAS}.scram.ScramLoginModule required;"
        return settings

    def close(self):
        super().close()
        self._files.cleanup()

    def address(self, listener):
        return f"127.0.0.1:{self.port[listener]}"
