"""Byte ranges from object stores: s3://, gs:// and az://, by obstore.

Credentials, region and endpoint come from the environment of the server, as each cloud's own tools read them
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`...). Without any,
requests go unsigned, as public buckets want them.
"""

from __future__ import annotations

import os
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from tiles.connect import Stamp, changed, name
from tiles.errors import SourceNotFound, SourceRefused, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiles.allow import Address

# Any of them says that requests are to be signed.
_CREDENTIALS: Final = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_BEARER_TOKEN"),
    "az": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY", "AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_TOKEN"),
}  # fmt: skip
_SKIP: Final = {"s3": "AWS_SKIP_SIGNATURE", "gs": "GOOGLE_SKIP_SIGNATURE", "az": "AZURE_SKIP_SIGNATURE"}
# Where a store of one's own is.
_ENDPOINT: Final = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_BASE_URL", "az": "AZURE_STORAGE_ENDPOINT"}


class Buckets:
    """Reads ranges of objects. For many threads.

    Args:
        timeout_s: longest wait for a connection, and for an answer.
        counted: told of each request and how many bytes came.
    """

    def __init__(self, timeout_s: float, counted: Callable[[int], None] = lambda _: None) -> None:
        self._timeout = timeout_s
        self._counted = counted
        self._stores: dict[tuple[str, str], Any] = {}
        self._lock = Lock()

    def stat(self, address: Address, hop: Callable[[Address], None] = lambda _: None) -> Stamp:
        """Size and ETag of an object.

        Raises:
            SourceNotFound, SourceRefused, SourceUnreachable: no such object, may not be read, or no answer.
        """
        del hop  # object stores are asked at one place
        _, meta = self._get(address, 0, 1, {})
        return _stamp(meta)

    def fetch(self, address: Address, start: int, end: int, stamp: Stamp) -> bytes:
        """Bytes `start` up to (not with) `end` of an object that still is the one that the stamp is of.

        Raises:
            SourceChanged: it is another one now.
            SourceNotFound, SourceRefused, SourceUnreachable: as `stat`.
        """
        body, meta = self._get(address, start, end, {"if_match": stamp.tag} if stamp.tag.startswith('"') else {})
        if _stamp(meta) != stamp:
            raise changed(address)
        return body

    def _get(self, address: Address, start: int, end: int, conditions: dict[str, Any]) -> tuple[bytes, Any]:
        import obstore  # noqa: PLC0415 - some ten MB, for those who have a bucket
        from obstore import exceptions  # noqa: PLC0415

        try:
            options: Any = {"range": (start, end), **conditions}
            answer = obstore.get(self._store(address), address.path.removeprefix("/"), options=options)
            body = bytes(answer.bytes())
        except FileNotFoundError as error:
            raise SourceNotFound(f"There is no object {address.href!r} (any more).") from error
        except exceptions.PreconditionError as error:
            raise changed(address) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise SourceRefused(
                f"{name(address)} may not be read: the {address.scheme} bucket refuses the server's credentials."
            ) from error
        except (exceptions.BaseError, ValueError, OSError) as error:
            text = str(error)
            if "301" in text or "Moved" in text:
                raise SourceRefused(
                    f"The bucket of {name(address)} is in another region: set AWS_REGION in the server's environment."
                ) from error
            if "416" in text:
                raise changed(address) from error
            raise SourceUnreachable(f"The object store of {name(address)} cannot be reached, or fails.") from error
        self._counted(len(body))
        return body, answer.meta

    def _store(self, address: Address) -> Any:
        key = (address.scheme, address.host)
        with self._lock:
            if key not in self._stores:
                self._stores[key] = self._make(*key)
            return self._stores[key]

    def _make(self, scheme: str, bucket: str) -> Any:
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415

        signed = any(os.environ.get(variable) for variable in _CREDENTIALS[scheme]) or _SKIP[scheme] in os.environ
        options: dict[str, Any] = {} if signed else {"skip_signature": True}
        endpoint = os.environ.get(_ENDPOINT[scheme], "")
        client: dict[str, Any] = {
            "timeout": timedelta(seconds=2 * self._timeout),
            "connect_timeout": timedelta(seconds=self._timeout),
            "allow_http": endpoint.startswith("http://"),
        }
        retry = {"max_retries": 1, "retry_timeout": timedelta(seconds=2 * self._timeout)}
        kind = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}[scheme]
        return kind(bucket, client_options=client, retry_config=retry, **options)


def _stamp(meta: Any) -> Stamp:
    return Stamp(int(meta["size"]), str(meta.get("e_tag") or meta["last_modified"].isoformat()))
