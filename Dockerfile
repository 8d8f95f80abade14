# The hub as an image: the wheel and its locked dependencies, nothing of the repository.
# Built and tested with Python 3.12; any from 3.11 on will do.
FROM python:3.12-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# What changes seldom comes first: these two layers last until a lock changes.
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/ecaf \
    && /opt/ecaf/bin/pip install --require-hashes -r requirements.lock \
    && python -m venv tools \
    && tools/bin/pip install --require-hashes -r requirements-dev.lock

COPY . source
RUN tools/bin/python -m build --wheel --no-isolation --outdir dist source \
    && /opt/ecaf/bin/pip install --no-deps dist/*.whl

FROM python:3.12-slim
# A folder called queue/ in the working directory must never come before the standard library's
# module: hence no working directory on the path, and one that is nobody's repository.
ENV PATH=/opt/ecaf/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /srv --shell /usr/sbin/nologin ecaf \
    && install -d -o ecaf -g ecaf -m 0700 /srv /etc/ecaf /var/received
COPY --from=build /opt/ecaf /opt/ecaf
WORKDIR /srv
USER ecaf
EXPOSE 8443
# Is the process answering at all? /healthz holds no secret, so whose certificate answers on our own
# loopback does not matter. Roles that do not listen switch this off.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import ssl, urllib.request as u; u.urlopen('https://localhost:8443/healthz', timeout=4, context=ssl._create_unverified_context())"]
ENTRYPOINT ["ecaf"]
CMD ["serve"]
