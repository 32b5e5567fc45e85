# One image for every service: workers, beat, Flower, migrations, the sandbox and the command line.
ARG PYTHON_IMAGE=python:3.13-slim

# What installs stays here: the image below has neither pip nor what it downloaded.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
COPY requirements/runtime.txt /tmp/runtime.txt
RUN python3 -m venv --without-pip /venv \
 && python3 -m pip --python /venv/bin/python install --no-cache-dir --no-compile --quiet --require-hashes \
    --requirement /tmp/runtime.txt
COPY alembic.ini flowerconfig.py .env.example ./
COPY greenroom greenroom
COPY api api
COPY models models
COPY tasks tasks
COPY worker worker
COPY migrations migrations
COPY sandbox sandbox
COPY examples examples
COPY cli cli
# Once, and not by each process that starts.
RUN /venv/bin/python -m compileall -q /venv/lib api cli examples greenroom migrations models sandbox tasks worker

FROM ${PYTHON_IMAGE}
# Threads keep no freed memory for themselves (worker/embedded/supervisor.py says why).
ENV GLIBC_TUNABLES=glibc.malloc.tcache_count=0
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app PATH=/venv/bin:$PATH
RUN printf '#!/bin/sh\nexec python -m cli "$@"\n' > /usr/local/bin/greenroom && chmod +x /usr/local/bin/greenroom \
 && groupadd --system --gid 10001 greenroom && useradd --system --uid 10001 --gid 10001 --create-home greenroom \
 && mkdir /media-in /fixed /spool /flower && chown greenroom:greenroom /fixed /spool /flower
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# The user's number, so that whoever runs the image can see that it is not root's. It may write there alone.
USER 10001:10001
ENV TMPDIR=/spool
CMD ["greenroom", "--help"]
