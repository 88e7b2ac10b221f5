# Two stages: the packages are installed with their hashes, the image keeps only what runs.
FROM python:3.11-slim AS build
WORKDIR /srv
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY shared shared
COPY services services
COPY demo demo
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 10001 --no-create-home passculture && install -d -o passculture /var/lib/passculture
USER passculture
WORKDIR /var/lib/passculture
ENTRYPOINT ["/opt/venv/bin/passculture"]
CMD ["run"]
