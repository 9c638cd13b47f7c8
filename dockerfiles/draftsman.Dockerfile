# The control plane's own image, for the API and the worker alike.
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY draftsman ./draftsman
COPY orchestrator ./orchestrator
COPY dockerfiles ./dockerfiles
COPY runner_image ./runner_image
RUN pip install --no-cache-dir --no-deps .

WORKDIR /
ENTRYPOINT ["draftsman"]
