"""Generates valid and invalid requests from the OpenAPI document and checks the responses against it.

Importing schemathesis takes a second: only the test that uses this module imports it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.waiting import TIMEOUT_SECONDS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
REFUSALS = ["400", "401", "403", "404", "409", "412", "413", "415", "422", "429"]
"""Expected statuses of an invalid request. 412 and 429 are returned before the body is read."""
ALWAYS_KNOWN = ("token", "offerId", "wait", "to", "advanceSeconds")
"""Always replaced by known values: unknown countermarks and offers use up the rate limit, the others take long."""
Known = Mapping[str, Sequence[Any]]


class _SourceAddress(HTTPAdapter):
    """Sends from a separate address for each route, because failures are limited per address."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, source_address=(self._address, 0))


class Explorer:
    """``known``: existing values by the name of the parameter or body field."""

    def __init__(self, document: dict[str, Any], port: int, known: Known) -> None:
        for operations in document["paths"].values():
            for operation in operations.values():
                if isinstance(operation, dict):
                    operation.pop("security", None)  # tokens are given, not generated
        config = {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
        self._schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
        self._url = f"http://127.0.0.1:{port}"
        self._known = known
        self.statuses: dict[str, set[int]] = defaultdict(set)
        """The statuses of authorized requests, by route."""
        self.requests: dict[str, int] = defaultdict(int)
        """The number of generated, authorized requests, by route."""

    def send_valid(self, label: str, token: str | None, path: Mapping[str, Any], body: Any) -> None:
        """Sends a valid request to a route (``METHOD path``) and asserts success."""
        method, template = label.split(" ")
        case = self._schema[template][method].Case(path_parameters=dict(path))
        if body is not None:
            case.body, case.media_type = body, "application/json"
        with requests.Session() as session:
            answer = _call(case, self._url, session, token)
        assert answer.status_code < 300, f"{label} answered {answer.status_code}: {answer.text[:600]}"
        self.statuses[label].add(answer.status_code)

    def explore(
        self, label: str, token: str | None, others: Mapping[str | None, int], examples: int, disposable: Known
    ) -> None:
        """Sends generated requests to a route with ``token``, and one with each other token, expecting its status.

        ``disposable`` values are used exclusively: the route may delete what they identify. Raises the failures that
        schemathesis finds, with the request as a curl command.
        """
        method, path = label.split(" ")
        operation = self._schema[path][method]
        strategies = {mode: operation.as_strategy(generation_mode=mode) for mode in GenerationMode}
        if not operation.body and all(_accepts_any_text(one.definition) for one in operation.iter_parameters()):
            del strategies[GenerationMode.NEGATIVE]  # every request is valid
        known, always = {**self._known, **disposable}, {*ALWAYS_KNOWN, *disposable}
        session = requests.Session()
        session.mount("http://", _SourceAddress(f"127.0.2.{1 + len(self.requests) % 250}"))

        def send(case: schemathesis.Case) -> None:
            self.statuses[label].add(_call(case, self._url, session, token).status_code)
            self.requests[label] += 1

        @_examples(1)
        @given(st.data())
        def explore_known(data: st.DataObject) -> None:
            case = data.draw(strategies[GenerationMode.POSITIVE])
            _replace_by_known(case, known, always, data, replace_all=True)
            for other, status in others.items():
                answer = _call(case, self._url, session, other)
                assert answer.status_code == status, f"{label} answered {answer.status_code} to another token"
            send(case)

        @_examples(examples)
        @given(st.data())
        def explore_generated(data: st.DataObject) -> None:
            mode = data.draw(st.sampled_from(list(strategies)))
            case = data.draw(strategies[mode])
            if mode.is_positive:
                _replace_by_known(case, known, always, data, replace_all=False)
            send(case)

        explore_known()
        explore_generated()
        session.close()


def _examples(examples: int) -> settings:
    """Generates the same examples in each run."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _call(case: schemathesis.Case, url: str, session: requests.Session, token: str | None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = case.call(base_url=url, session=session, headers=headers, timeout=TIMEOUT_SECONDS)
    case.validate_response(answer, checks=CHECKS)
    return answer


def _accepts_any_text(parameter: Mapping[str, Any]) -> bool:
    """Whether it is a path parameter without restrictions."""
    return parameter["in"] == "path" and parameter["schema"] == {"type": "string"}


def _replace_by_known(
    case: schemathesis.Case, known: Known, always: Collection[str], data: st.DataObject, *, replace_all: bool
) -> None:
    """Replaces half of the generated values by known ones, because generated identifiers rarely exist.

    The known value None removes the parameter.
    """
    for values in (case.path_parameters, case.query, case.body):
        for name in list(values) if isinstance(values, dict) else ():
            if name in known:
                value, chosen = data.draw(st.sampled_from(known[name])), data.draw(st.booleans())
                if value is None and (chosen or replace_all):
                    del values[name]
                elif chosen or replace_all or name in always:
                    values[name] = value
