"""Pages of lists, reduced while they are decoded to what identities are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUP = "toolchain.dev.openshift.com"


class _Part(msgspec.Struct, gc=False, omit_defaults=True, rename="camel"):
    """A part of an object, as far as it is read; what else it holds is passed over.

    ``Any`` stands for what identities are made of: what is odd there is for them to judge.
    """


class _Annotations(_Part):
    sso_user_id: Any = msgspec.field(default=None, name=f"{_GROUP}/sso-user-id")


class _Metadata(_Part):
    name: Any = None
    creation_timestamp: Any = None
    labels: dict[str, Any] | None = None
    annotations: _Annotations | None = None


class _Claims(_Part):
    user_id: Any = msgspec.field(default=None, name="userID")


class _Spec(_Part):
    identity_claims: _Claims | None = None


class _Status(_Part):
    compliant_username: Any = None


class Object(_Part):
    """A UserSignup or a Namespace."""

    metadata: _Metadata | None = None
    spec: _Spec | None = None
    status: _Status | None = None

    def keep_labels(self, keys: Sequence[str]) -> None:
        """Forget all labels but these."""
        if self.metadata and self.metadata.labels:
            labels = self.metadata.labels
            self.metadata.labels = {key: labels[key] for key in keys if key in labels}


class _ListMetadata(msgspec.Struct):
    #: Leads to the next page; the last one has none.
    token: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """One page of a list."""

    items: list[Object] | None
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)


decode_page = msgspec.json.Decoder(Page).decode
