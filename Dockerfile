# syntax=docker/dockerfile:1
# Three stages: one prepares the embedding model (torch and all), one installs what serving needs,
# and the image takes a folder from each. It starts without network and never holds torch.

ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
# Compiled at build time: the user that serves cannot write it, and would compile at every start.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1
WORKDIR /opt/kildesvar
COPY constraints.txt pyproject.toml README.md ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt uv
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
COPY app app
COPY index index
COPY scripts scripts

FROM base AS model
# `--build-arg TORCH_BACKEND=cpu` takes torch's small CPU build where PyTorch's index can be reached.
ARG TORCH_BACKEND=
RUN uv pip install --no-cache --constraint constraints.txt \
        ${TORCH_BACKEND:+--torch-backend ${TORCH_BACKEND}} '.[prepare]'
# The weights in sentence-transformers' own format are not read when serving (449 of 583 MB).
RUN KILDESVAR_MODELS_DIR=/opt/models kildesvar prepare \
    && rm /opt/models/bundled/model.safetensors

FROM base AS serving
RUN uv pip install --no-cache --constraint constraints.txt . && uv pip uninstall uv

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Kildesvar" \
      org.opencontainers.image.description="Answers with their source, over your own documents"
RUN useradd --uid 10001 --create-home kildesvar && install -d -o kildesvar /data
COPY --from=serving /opt/venv /opt/venv
COPY --from=model /opt/models /opt/models
COPY examples /opt/kildesvar/examples
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KILDESVAR_DATA_DIR=/data \
    KILDESVAR_MODELS_DIR=/opt/models \
    KILDESVAR_HOST=0.0.0.0
USER 10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('KILDESVAR_PORT', 8080)}/healthz\", timeout=4)"]
CMD ["kildesvar", "serve"]
