# The relay with all of its extensions. Needs the registries of images, of Debian and of crates, and no other network:
#
#   docker build -t trellis .
#   docker run -p 8080:8080 -v trellis-data:/app/data trellis
#
# What is built of other people's crates is a layer of its own, which changes with Cargo.lock and the manifests alone.
# docs/deploying.md has the rest.

# As rust-toolchain.toml has it; a test compares the two.
ARG RUST_VERSION=1.95.0
ARG DEBIAN=bookworm

FROM rust:${RUST_VERSION}-slim-${DEBIAN} AS chef
ARG RUST_VERSION
ARG CARGO_CHEF_VERSION=0.1.78
# The image's own toolchain: rust-toolchain.toml asks for parts that only developers need, from a server of its own.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION} \
    CARGO_INCREMENTAL=0 \
    CARGO_TERM_COLOR=never
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential pkg-config \
    && rm -rf /var/lib/apt/lists/* \
    && cargo install --locked cargo-chef@${CARGO_CHEF_VERSION}
WORKDIR /build

# What the crates of others are, and nothing of our own sources.
FROM chef AS recipe
COPY . .
RUN cargo chef prepare --bin trellis

FROM chef AS builder
COPY --from=recipe /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --all-features --package trellis --bin trellis
COPY . .
# `--build-arg STRIP=` keeps what tells lines in stack traces, and a binary several times as large.
ARG STRIP="strip --strip-debug"
RUN cargo build --release --locked --all-features --package trellis --bin trellis \
    && cp target/release/trellis /trellis \
    && if [ -n "${STRIP}" ]; then ${STRIP} /trellis; fi

FROM debian:${DEBIAN}-slim
# Authorities' certificates, for object stores; everything else that the relay asks by TLS it knows by itself.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 trellis \
    && useradd --uid 10001 --gid trellis --no-log-init --no-create-home --home-dir /app --shell /usr/sbin/nologin trellis \
    && install -d -o trellis -g trellis -m 0750 /app/data
WORKDIR /app
COPY --from=builder /trellis /usr/local/bin/trellis
COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
COPY config/ config/
USER 10001:10001
# Whoever publishes a container's port means every address of the container.
ENV TRELLIS_NETWORK__HOST=0.0.0.0
EXPOSE 8080
# data.path of every configuration in config/. Where nothing is mounted it ends with the container.
VOLUME ["/app/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["sh", "-c", "exec trellis health -c \"${CONFIG:-/app/config/trellis.toml}\""]
ENTRYPOINT ["docker-entrypoint.sh"]
