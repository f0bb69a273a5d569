"""One frozen value object for each outside system, and how to read them from the environment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from segment_bridge.errors import ConfigurationError
from segment_bridge.tenants import TOOLCHAIN, Tenants

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from segment_bridge.tolerance import Tolerated

T = TypeVar("T", bound="SplunkSettings | SegmentSettings | KubernetesSettings")

DEFAULT_BATCH_API = "https://api.segment.io/v1/batch"
DEFAULT_CONNECTIONS = 8
DEFAULT_REQUESTS_PER_SECOND = 100.0
#: By how many percent a map may shrink from one run to the next, and how many hours the last good one may stand in.
DEFAULT_MAP_SHRINK_PERCENT = 20
DEFAULT_MAP_STAND_IN_HOURS = 24
#: The variable with the seconds before a second try; the pauses after it double.
RETRY_PAUSE = "SEGMENT_BRIDGE_RETRY_PAUSE"
#: The variable with the messages of Splunk that may pass, as JSON.
TOLERATED_MESSAGES = "SEGMENT_BRIDGE_TOLERATED_MESSAGES"
#: The Splunk lookup that holds the user ID map; every search that uses it says ``OUTPUT user_id``.
DEFAULT_USER_LOOKUP = "segment_bridge_users"


class IdentityMode(StrEnum):
    """Where the user names of records are resolved; the value is that of the setting ``identity``."""

    #: By the bridge, from its maps.
    BRIDGE = "bridge"
    #: By the search, from a lookup that holds the user ID map: user names do not leave Splunk.
    SPLUNK_LOOKUP = "splunk_lookup"


@dataclass(frozen=True, slots=True)
class Source:
    """Where audit records lie in Splunk: an index, and what narrows it down.

    ``fields`` are pairs of a field that Splunk has without looking into records (``host``, ``source``, indexed fields)
    and its value, in which ``*`` stands for anything.
    """

    index: str
    sourcetype: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def search_fields(text: str, setting: str) -> tuple[tuple[str, str], ...]:
    """Read ``name=value`` pairs that commas separate; raises :class:`ConfigurationError`, which names the setting."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        raise ConfigurationError(f"{setting} is no list of fields: write it as host=api-*,source=audit")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


class Environment:
    """Reads settings out of environment variables and names all that are missing at once.

    Line ends and blanks around a value do not count. Used as a context manager: on leaving it,
    :class:`ConfigurationError` names every variable that was required and is unset or empty.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._missing: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and self._missing:
            raise ConfigurationError("missing settings: " + ", ".join(self._missing))

    def require(self, name: str) -> str:
        """Return the variable's value; note its absence."""
        value = self.get(name)
        if not value:
            self.missing(name)
        return value

    def require_several(self, name: str) -> tuple[str, ...]:
        """Return the values that blanks or commas separate; note the absence of any."""
        values = self.several(name)
        if not values:
            self.missing(name)
        return values

    def several(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the values that blanks or commas separate, or the default where there are none."""
        return tuple(self._variables.get(name, "").replace(",", " ").split()) or default

    def get(self, name: str, default: str = "") -> str:
        """Return the variable's value, or the default where it is unset or empty."""
        return self._variables.get(name, "").strip() or default

    def tenants(self) -> Tenants:
        """Return how tenants' namespaces are known; raises :class:`ConfigurationError` for what is no label."""
        selectors = self.several("TENANT_SELECTORS", TOOLCHAIN.selectors)
        return Tenants(selectors, self.several("SPACE_LABELS", TOOLCHAIN.space_labels))

    def seconds(self, name: str) -> float | None:
        """Return a time, more than none, or None where the variable is unset or empty.

        Raises :class:`ConfigurationError` for what is no such time.
        """
        return self._number(name, "no time in seconds: write it as 30 or 0.5")

    def rate(self, name: str) -> float | None:
        """Return how much there may be a second, likewise."""
        return self._number(name, "no rate a second: write it as 100 or 0.5")

    def count(self, name: str) -> int | None:
        """Return a whole number, likewise."""
        wrong = "no number of what there can be: write it as 8"
        number = self._number(name, wrong)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        raise ConfigurationError(f"{name} is {wrong}")

    def _number(self, name: str, wrong: str) -> float | None:
        text = self.get(name)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise ConfigurationError(f"{name} is {wrong}")
        return number

    def timed(self, settings: T, **names: str) -> T:
        """Return settings in which variables that are set replace times: each field's is named by its argument."""
        read = {field: self.seconds(name) for field, name in names.items()}
        given: dict[str, Any] = {field: seconds for field, seconds in read.items() if seconds is not None}
        return replace(settings, **given)

    def tolerated_messages(self) -> tuple[Tolerated, ...]:
        """Return the messages of Splunk that may pass, none where the variable is unset or empty."""
        text = self.get(TOLERATED_MESSAGES)
        if not text:
            return ()
        from segment_bridge import tolerance  # noqa: PLC0415 - start-up: few have this setting

        return tolerance.read(text, TOLERATED_MESSAGES)

    def missing(self, what: str) -> None:
        """Note that something is missing that more than one variable could give."""
        self._missing.append(what)


def _trim(settings: object, *names: str) -> None:
    """Take line ends and blanks off the credentials of a frozen value: files and secrets often end in a line end."""
    for name in names:
        object.__setattr__(settings, name, getattr(settings, name).strip())


@dataclass(frozen=True, kw_only=True, slots=True)
class SplunkSettings:
    """Where Splunk's REST API is and who asks: one of ``token``, ``session_key``, or user name and password."""

    url: str
    app: str = "search"
    owner: str = "nobody"
    #: Where the audit records lie; only searches need it.
    index: str = ""
    sourcetype: str = ""
    #: Further fixed terms of every search, as :class:`Source` has them.
    search_fields: tuple[tuple[str, str], ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    session_key: str = field(default="", repr=False)
    #: A PEM file of the authority that signed Splunk's certificate; empty: those of the environment, or the system's.
    ca_file: str = ""
    verify: bool = True
    #: Seconds without a byte after which the connection counts as dead; Splunk sends keep-alives in between.
    timeout: float = 300.0
    #: Messages of Splunk that may pass although they tell of missing results.
    tolerated_messages: tuple[Tolerated, ...] = ()

    @property
    def source(self) -> Source:
        """Where the audit records lie; raises :class:`ConfigurationError` where no index is set."""
        if not self.index:
            raise ConfigurationError(
                "Splunk's index is not set: set SPLUNK_INDEX, or the connection's index, to that of the audit records"
            )
        return Source(self.index, self.sourcetype, self.search_fields)

    def __post_init__(self) -> None:
        _trim(self, "username", "password", "token", "session_key")

    @classmethod
    def from_environment(cls, env: Environment) -> Self:
        """Read ``SPLUNK_API_URL``, ``SPLUNK_TOKEN`` or ``SPLUNK_USERNAME`` + ``SPLUNK_PASSWORD``, and the rest."""
        token, session_key = env.get("SPLUNK_TOKEN"), env.get("SPLUNK_SESSION_KEY")
        username, password = env.get("SPLUNK_USERNAME"), env.get("SPLUNK_PASSWORD")
        if not (token or session_key):
            if not username and not password:
                env.missing("SPLUNK_TOKEN (or SPLUNK_USERNAME and SPLUNK_PASSWORD)")
            elif not username:
                env.missing("SPLUNK_USERNAME")
            elif not password:
                env.missing("SPLUNK_PASSWORD")
        settings = cls(
            url=env.require("SPLUNK_API_URL"),
            app=env.get("SPLUNK_APP_NAME", "search"),
            owner=env.get("SPLUNK_OWNER", "nobody"),
            index=env.require("SPLUNK_INDEX"),
            sourcetype=env.get("SPLUNK_SOURCETYPE"),
            search_fields=search_fields(env.get("SPLUNK_SEARCH_FIELDS"), "SPLUNK_SEARCH_FIELDS"),
            username=username,
            password=password,
            token=token,
            session_key=session_key,
            ca_file=env.get("SPLUNK_CA_FILE"),
            tolerated_messages=env.tolerated_messages(),
        )
        return env.timed(settings, timeout="SPLUNK_TIMEOUT")


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentSettings:
    """Where events go and with which write key.

    ``batch_api`` is the whole address of the batch endpoint; where it has no path, ``/v1/batch`` is added.
    """

    write_key: str = field(repr=False)
    batch_api: str = DEFAULT_BATCH_API
    #: A PEM file of the authority that signed its certificate; empty: those of the environment, or the common ones.
    ca_file: str = ""
    #: Tries of one request within a run; a pause that Segment asks for uses up none.
    attempts: int = 3
    #: Seconds before the second try; the pauses after it double.
    pause: float = 0.5
    #: Seconds for connecting, and for an answer as a whole.
    timeout: float = 30.0
    #: Seconds after which a batch is given up, whatever pauses Segment asks for.
    budget: float = 1800.0
    #: Batches delivered at once, each over a connection of its own.
    connections: int = DEFAULT_CONNECTIONS
    #: What all connections together send at most; None: as much as they can.
    requests_per_second: float | None = DEFAULT_REQUESTS_PER_SECOND
    events_per_second: float | None = None

    def __post_init__(self) -> None:
        _trim(self, "write_key")

    def shared_by(self, tasks: int) -> Self:
        """Return the settings of one of so many tasks that keep to the rate together."""
        requests, events = self.requests_per_second, self.events_per_second
        return replace(
            self,
            requests_per_second=requests and requests / tasks,
            events_per_second=events and events / tasks,
        )

    @classmethod
    def from_environment(cls, env: Environment) -> Self:
        """Read ``SEGMENT_WRITE_KEY``, ``SEGMENT_BATCH_API``, its CA file, connections, rates, and times for a batch."""
        settings = cls(
            write_key=env.require("SEGMENT_WRITE_KEY"),
            batch_api=env.get("SEGMENT_BATCH_API", DEFAULT_BATCH_API),
            ca_file=env.get("SEGMENT_CA_FILE"),
            connections=env.count("SEGMENT_CONNECTIONS") or DEFAULT_CONNECTIONS,
            requests_per_second=env.rate("SEGMENT_REQUESTS_PER_SECOND") or DEFAULT_REQUESTS_PER_SECOND,
            events_per_second=env.rate("SEGMENT_EVENTS_PER_SECOND"),
        )
        return env.timed(settings, pause=RETRY_PAUSE, timeout="SEGMENT_TIMEOUT", budget="SEGMENT_BUDGET")


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesSettings:
    """The clusters to ask, as contexts of a kubeconfig.

    ``kubeconfig`` is a path, or several joined by the system's path separator, as kubectl reads ``KUBECONFIG``;
    empty: ``~/.kube/config``.
    """

    host_context: str
    member_contexts: tuple[str, ...]
    kubeconfig: str = ""
    tenants: Tenants = TOOLCHAIN
    #: Objects a page.
    page_size: int = 500
    #: Seconds for connecting, and between two bytes of the answer.
    timeout: float = 60.0

    @classmethod
    def from_environment(cls, env: Environment) -> Self:
        """Read ``KUBECONFIG``, ``HOST_CONTEXT``, and what blanks or commas separate.

        The latter are ``MEMBER_CONTEXTS``, ``TENANT_SELECTORS`` and ``SPACE_LABELS``.
        """
        settings = cls(
            host_context=env.require("HOST_CONTEXT"),
            member_contexts=env.require_several("MEMBER_CONTEXTS"),
            kubeconfig=env.get("KUBECONFIG"),
            tenants=env.tenants(),
        )
        return env.timed(settings, timeout="KUBERNETES_TIMEOUT")
