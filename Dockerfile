# syntax=docker/dockerfile:1
# The image of `memoranda worker` and `memoranda serve`: not root, nothing to write to, no compiler, no package manager of Python's in it.
#
#   docker build --tag memoranda:local .
#   docker build --tag memoranda:local --build-arg PROVIDERS='pydantic-ai-slim[openai]' .

ARG PYTHON_IMAGE=python:3.13.16-slim-trixie
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.12.21

FROM ${UV_IMAGE} AS uv

FROM ${PYTHON_IMAGE} AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/memoranda
WORKDIR /build
# What is installed, at the versions of uv.lock; apart from the code, so that a change of code reuses it.
ARG EXTRAS="postgres qdrant pydantic-ai privacy server console mcp"
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-default-groups --no-install-project $(printf -- '--extra %s ' ${EXTRAS})
COPY src ./src
RUN uv sync --locked --no-default-groups --no-editable $(printf -- '--extra %s ' ${EXTRAS})
# The client of a model's provider, for instance 'pydantic-ai-slim[openai]'.
ARG PROVIDERS=""
RUN test -z "${PROVIDERS}" || uv pip install --python /opt/memoranda/bin/python ${PROVIDERS}

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="memoranda" \
    org.opencontainers.image.licenses="MIT"
# A number, so that Kubernetes can tell that it isn't root.
RUN groupadd --system --gid 10001 memoranda \
    && useradd --system --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin memoranda
COPY --from=build /opt/memoranda /opt/memoranda
ENV PATH=/opt/memoranda/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1
USER 10001:10001
WORKDIR /tmp
STOPSIGNAL SIGTERM
# Of `memoranda serve --host 0.0.0.0 --behind-tls-proxy ...`.
EXPOSE 8080
# The worker touches the file every few seconds while it works or waits; a server is asked for /health instead.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD test -n "$(find /tmp/alive -mmin -1 2>/dev/null)"
ENTRYPOINT ["memoranda"]
CMD ["worker", "--alive-file", "/tmp/alive"]
