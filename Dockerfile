# One image for the service and its worker. Build: docker build -t hefesto-api .
# Run:   docker run --name hefesto -p 8080:8080 -e HEFESTO_AUTH=required -v hefesto:/data -v /srv/code:/code:ro hefesto-api
# Then:  docker exec hefesto hefesto keys create --name first --scope admin
FROM node:24-slim AS page
WORKDIR /src/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY dashboard .
RUN node build.mjs

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/hefesto \
 && /opt/hefesto/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY . .
COPY --from=page /src/hefesto_api/web/pages/app hefesto_api/web/pages/app
RUN /opt/hefesto/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home hefesto \
 && install -d -o hefesto /data /code
COPY --from=build /opt/hefesto /opt/hefesto
ENV PATH=/opt/hefesto/bin:$PATH \
    HEFESTO_DATABASE_URL=sqlite:////data/hefesto.db \
    HEFESTO_ROOTS=/code
USER hefesto
WORKDIR /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
CMD ["hefesto", "serve", "--host", "0.0.0.0"]
