# One image for the service and its worker. Build: docker build -t hefesto-api .
# Run:   docker run --name hefesto -p 8080:8080 -e HEFESTO_AUTH=required -v hefesto:/data -v /srv/code:/code:ro hefesto-api
# Then:  docker exec hefesto hefesto keys create --name first --scope admin
# The same sources give the same files: images by version, packages by hash, no times.
ARG NODE=node:24.19.0-trixie-slim
ARG PYTHON=python:3.13.9-slim-trixie

FROM ${NODE} AS page
WORKDIR /src/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY dashboard .
RUN node build.mjs

FROM ${PYTHON} AS build
ARG SOURCE_DATE_EPOCH=315532800
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements requirements
RUN python -m venv --without-pip /opt/hefesto \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
 && /opt/build/bin/pip --python /opt/hefesto/bin/python install --no-compile --require-hashes -r requirements/runtime.txt
COPY . .
COPY --from=page /src/hefesto_api/web/pages/app hefesto_api/web/pages/app
RUN /opt/build/bin/python -m build --wheel --no-isolation --outdir /tmp/wheel \
 && /opt/build/bin/pip --python /opt/hefesto/bin/python install --no-compile --no-deps --no-index /tmp/wheel/*.whl \
 && PYTHONHASHSEED=0 /opt/hefesto/bin/python -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/hefesto/lib

FROM ${PYTHON}
RUN useradd --system --uid 10001 --no-log-init --create-home hefesto \
 && install -d -o hefesto -m 700 /data \
 && install -d /code
COPY --from=build /opt/hefesto /opt/hefesto
ENV PATH=/opt/hefesto/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HEFESTO_HOST=0.0.0.0 \
    HEFESTO_DATABASE_URL=sqlite:////data/hefesto.db \
    HEFESTO_ROOTS=/code
USER hefesto
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8080)}/livez', timeout=4)"]
CMD ["hefesto", "serve"]
