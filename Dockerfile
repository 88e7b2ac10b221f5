# Two stages: the first builds the project; the image has only the runtime packages of requirements.lock.
FROM python:3.11-slim AS build
WORKDIR /srv
COPY requirements.lock requirements-build.lock ./
RUN pip install --require-hashes -r requirements-build.lock
RUN python -m venv --without-pip /opt/venv
RUN pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY shared shared
COPY services services
COPY demo demo
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels .
RUN pip --python /opt/venv/bin/python install --no-deps wheels/*.whl

FROM python:3.11-slim
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 10001 --no-create-home passculture && install -d -o passculture /var/lib/passculture
# the loopback address of a container is unreachable from outside; health and metrics have a separate port
ENV BIND=0.0.0.0
ENV OPS_PORT=9000
ENV STATE_DIR=/var/lib/passculture
EXPOSE 8000 9000
USER passculture
WORKDIR /var/lib/passculture
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/opt/venv/bin/python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['OPS_PORT'] + '/health/ready')"]
ENTRYPOINT ["/opt/venv/bin/passculture"]
CMD ["run"]
