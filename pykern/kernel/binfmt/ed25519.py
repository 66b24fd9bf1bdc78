"""Ed25519: keys, signing, and checking a signature, by the `cryptography` package.

It is imported where it is needed: most systems demand no signatures, and start without it.

References
----------
RFC 8032, Edwards-Curve Digital Signature Algorithm (EdDSA), 5.1 Ed25519ph, Ed25519ctx, and Ed25519.
"""

from __future__ import annotations

__all__ = ["KEY_SIZE", "SIGNATURE_SIZE", "public_key", "sign", "verify"]

KEY_SIZE, SIGNATURE_SIZE = 32, 64


def public_key(secret: bytes) -> bytes:
    """Return the public key of a secret one; 32 bytes each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, message: bytes) -> bytes:
    """Return the signature of a message, 64 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature is that of a message; False for what is no key or no signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
