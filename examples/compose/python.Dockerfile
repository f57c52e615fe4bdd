# The Flask application of examples/python under gunicorn. The wheel is built in an image of the same family as the one that runs it.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv python3-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /flagstone
COPY . .
RUN python3 -m venv /venv && /venv/bin/pip install ./bindings/python flask gunicorn

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /venv /venv
COPY examples/python/flask_app.py /app/flask_app.py
WORKDIR /app
USER nobody
EXPOSE 8000
CMD ["/venv/bin/gunicorn", "--preload", "--workers", "4", "--bind", "0.0.0.0:8000", "flask_app:app"]
