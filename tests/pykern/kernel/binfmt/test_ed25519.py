"""MIC-17: signatures are those of RFC 8032, and of openssl."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from pykern.kernel.binfmt import ed25519

# RFC 8032, 7.1, Test Vectors for Ed25519: TEST 1, 2, 3.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_published_vectors(vector):
    secret, public, message, signature = map(bytes.fromhex, vector)
    assert ed25519.public_key(secret) == public
    assert ed25519.sign(secret, message) == signature
    assert ed25519.verify(public, message, signature)


def test_any_other_bit_is_no_signature():
    numbers = random.Random(3)
    _, public, message, signature = map(bytes.fromhex, VECTORS[2])
    for _ in range(12):
        changed = bytearray(public + message + signature)
        bit = numbers.randrange(8 * len(changed))
        changed[bit // 8] ^= 1 << bit % 8
        key, text, rest = bytes(changed[:32]), bytes(changed[32:-64]), bytes(changed[-64:])
        assert not ed25519.verify(key, text, rest), bit
    assert not ed25519.verify(public, message, signature[:-1])
    assert not ed25519.verify(b"\xff" * 32, message, signature)


def test_the_scalar_is_reduced():
    """RFC 8032, 5.1.7: S is not accepted a second time with the order added."""
    _, public, message, signature = map(bytes.fromhex, VECTORS[1])
    order = 2**252 + 27742317777372353535851937790883648493
    other = int.from_bytes(signature[32:], "little") + order
    assert not ed25519.verify(public, message, signature[:32] + other.to_bytes(32, "little"))


def test_openssl_agrees(tmp_path):
    """MIC-17: each accepts what the other has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this host")
    key, message, signature = (tmp_path / name for name in ("key.pem", "message", "signature"))

    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], capture_output=True, check=False)

    assert openssl("genpkey", "-algorithm", "ed25519", "-out", str(key)).returncode == 0
    secret = openssl("pkey", "-in", str(key), "-outform", "DER").stdout[-32:]
    public = openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER").stdout[-32:]
    assert ed25519.public_key(secret) == public
    message.write_bytes(b"what is signed" * 99)
    made = openssl("pkeyutl", "-sign", "-inkey", str(key), "-rawin", "-in", str(message)).stdout
    assert made == ed25519.sign(secret, message.read_bytes())
    signature.write_bytes(made)
    assert ed25519.verify(public, message.read_bytes(), made)
