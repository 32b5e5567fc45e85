"""API keys at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA256) under the installation's key."""

from __future__ import annotations

from pydantic import SecretStr

from greenroom.errors import SettingsError
from greenroom.extras import needs

with needs("app", "Encrypting API keys"):
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Vault:
    """Encrypts and decrypts API keys.

    Args:
        secret_key: one Fernet key, or several separated by commas: the first encrypts, all decrypt, so
            that a key can be changed without losing what the old one has encrypted.

    Raises:
        SettingsError: a key is not one that :func:`new_secret_key` could have made.
    """

    def __init__(self, secret_key: SecretStr) -> None:
        keys = [key.strip() for key in secret_key.get_secret_value().split(",") if key.strip()]
        try:
            fernets = [Fernet(key) for key in keys]
            self._first, self._fernet = fernets[:1], MultiFernet(fernets)
        except ValueError:
            raise SettingsError(
                "GREENROOM_SECRET_KEY is no Fernet key (32 random bytes in URL-safe base64). Make one with: "
                "greenroom channel new-secret-key"
            ) from None

    def encrypt(self, api_key: SecretStr) -> str:
        """The API key as text that may stand in a database."""
        return self._fernet.encrypt(api_key.get_secret_value().encode()).decode("ascii")

    def decrypt(self, encrypted: str) -> SecretStr:
        """The API key again.

        Raises:
            SettingsError: it was encrypted under another key, or was tampered with.
        """
        try:
            return SecretStr(self._fernet.decrypt(encrypted).decode())
        except InvalidToken:
            raise SettingsError(
                "An API key in the database is encrypted under another GREENROOM_SECRET_KEY. Add the old key "
                "after the new one, separated by a comma, or add the channel again."
            ) from None

    def is_current(self, encrypted: str) -> bool:
        """Whether it was encrypted under the first key, so that the others are not needed for it."""
        try:
            MultiFernet(self._first).decrypt(encrypted)
        except InvalidToken:
            return False
        return True


def new_secret_key() -> SecretStr:
    """A fresh random key for ``GREENROOM_SECRET_KEY``."""
    return SecretStr(Fernet.generate_key().decode("ascii"))
