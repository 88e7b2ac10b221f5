"""Requests that the OpenAPI document allows, and requests that it does not, each answer held against the document.

schemathesis takes a second to import: only the one test that needs it does.
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
"""What a request may be answered that the document does not allow. 412 and 429 are said before a body is read."""
ALWAYS_KNOWN = ("token", "offerId", "wait", "to", "advanceSeconds")
"""Made-up countermarks and offers are failures, of which a desk has ten a minute; the others would take long."""
Known = Mapping[str, Sequence[Any]]


class _From(HTTPAdapter):
    """Failures are limited by address: each route is asked from one of its own."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, source_address=(self._address, 0))


class Explorer:
    """``known`` gives values that mean something, by the name of the parameter or the body's field."""

    def __init__(self, document: dict[str, Any], port: int, known: Known) -> None:
        for operations in document["paths"].values():
            for operation in operations.values():
                if isinstance(operation, dict):
                    operation.pop("security", None)  # who asks is said with each request, never made up
        config = {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
        self._schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
        self._url = f"http://127.0.0.1:{port}"
        self._known = known
        self.answered: dict[str, set[int]] = defaultdict(set)
        """The statuses of each route, asked by who may."""
        self.asked: dict[str, int] = defaultdict(int)
        """How many made-up requests each route has had from who may."""

    def ask_rightly(self, label: str, token: str | None, path: Mapping[str, Any], body: Any) -> None:
        """Asks one route (``METHOD path``) for what must succeed."""
        method, template = label.split(" ")
        case = self._schema[template][method].Case(path_parameters=dict(path))
        if body is not None:
            case.body, case.media_type = body, "application/json"
        with requests.Session() as session:
            answer = _call(case, self._url, session, token)
        assert answer.status_code < 300, f"{label} answered {answer.status_code}: {answer.text[:600]}"
        self.answered[label].add(answer.status_code)

    def explore(
        self, label: str, token: str | None, others: Mapping[str | None, int], examples: int, spare: Known
    ) -> None:
        """Asks one route by ``token``, and once by each of the others, who get the status given.

        What is ``spare`` is asked about alone: the route may make an end of it. Raises what schemathesis finds, with
        the request as a curl command.
        """
        method, path = label.split(" ")
        operation = self._schema[path][method]
        strategies = {mode: operation.as_strategy(generation_mode=mode) for mode in GenerationMode}
        if not operation.body and all(_takes_anything(one.definition) for one in operation.iter_parameters()):
            del strategies[GenerationMode.NEGATIVE]  # nothing could be wrong with it
        known, always = {**self._known, **spare}, {*ALWAYS_KNOWN, *spare}
        session = requests.Session()
        session.mount("http://", _From(f"127.0.2.{1 + len(self.asked) % 250}"))

        def asked(case: schemathesis.Case) -> None:
            self.answered[label].add(_call(case, self._url, session, token).status_code)
            self.asked[label] += 1

        @_made_up(1)
        @given(st.data())
        def ask_with_all_that_is_known(data: st.DataObject) -> None:
            case = data.draw(strategies[GenerationMode.POSITIVE])
            _put_known(case, known, always, data, all_of_them=True)
            for other, status in others.items():
                answer = _call(case, self._url, session, other)
                assert answer.status_code == status, f"{label} answered {answer.status_code} to somebody else"
            asked(case)

        @_made_up(examples)
        @given(st.data())
        def ask(data: st.DataObject) -> None:
            mode = data.draw(st.sampled_from(list(strategies)))
            case = data.draw(strategies[mode])
            if mode.is_positive:
                _put_known(case, known, always, data, all_of_them=False)
            asked(case)

        ask_with_all_that_is_known()
        ask()
        session.close()


def _made_up(examples: int) -> settings:
    """The same ones each time."""
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


def _takes_anything(parameter: Mapping[str, Any]) -> bool:
    """A part of a path that may be any text."""
    return parameter["in"] == "path" and parameter["schema"] == {"type": "string"}


def _put_known(
    case: schemathesis.Case, known: Known, always: Collection[str], data: st.DataObject, *, all_of_them: bool
) -> None:
    """Made-up values are nearly always of nothing that exists: half of them give way to known ones.

    A known value None leaves the parameter out.
    """
    for values in (case.path_parameters, case.query, case.body):
        for name in list(values) if isinstance(values, dict) else ():
            if name in known:
                value, chosen = data.draw(st.sampled_from(known[name])), data.draw(st.booleans())
                if value is None and (chosen or all_of_them):
                    del values[name]
                elif chosen or all_of_them or name in always:
                    values[name] = value
