# The image of the bridge: one static binary, the CA bundle, nothing to log in to.
#
#   docker build \
#     --build-arg VERSION=1.2.3 \
#     --build-arg COMMIT="$(git rev-parse HEAD)" \
#     --build-arg SOURCE_DATE="$(git log -1 --format=%cI)" \
#     -t pos-bridge:1.2.3 .
#
# The same commit and the same Go release give the same binary, byte for byte
# (.ci/image compares it with one that is built outside). Docker, BuildKit,
# Podman and buildah all understand this file: no COPY --link, no heredocs.

# The build runs on the builder's own platform and compiles for the wanted one.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src

# Which Go module proxy to use; the toolchain's own default when empty.
ARG GOPROXY=
# Set by the builder: the platform of the wanted image.
ARG TARGETOS
ARG TARGETARCH

# The modules first: they change less often than the sources do.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \
    GOFLAGS=-modcacherw go mod download

COPY . .
ARG VERSION=0.0.0-dev
ARG COMMIT=unknown
# grpcnotrace leaves a debugging page of gRPC out (it comes with OpenTelemetry and
# is never used): through its templates the linker would keep every method of
# every type, 5 MB of them.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS="${TARGETOS}" GOARCH="${TARGETARCH}" \
    go build -trimpath -buildvcs=false -tags grpcnotrace \
      -ldflags "-s -w -buildid= -X main.version=${VERSION} -X main.commit=${COMMIT}" \
      -o /image/pos-bridge ./cmd/bridge

# All the rest of the image: certificates to know the provider by, a name for
# the user, and /tmp for those who do not mount one ("pos-bridge dev" keeps its
# data there).
RUN mkdir -p /image/etc/ssl/certs /image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && printf 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n' > /image/etc/passwd \
 && printf 'nonroot:x:65532:\n' > /image/etc/group \
 && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /image/ /

ARG VERSION=0.0.0-dev
ARG COMMIT=unknown
ARG SOURCE_DATE=
LABEL org.opencontainers.image.title="pos-bridge" \
      org.opencontainers.image.description="Card payments on SmartPOS terminals, from a NATS bus to MultiSafepay and back" \
      org.opencontainers.image.url="https://github.com/posbridge/bridge" \
      org.opencontainers.image.source="https://github.com/posbridge/bridge" \
      org.opencontainers.image.vendor="posbridge" \
      org.opencontainers.image.documentation="https://github.com/posbridge/bridge/blob/main/docs/operations.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${SOURCE_DATE}"

# Numbers, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080
# SIGTERM, the default stop signal, drains: sessions move to another replica.
ENTRYPOINT ["/pos-bridge"]
CMD ["serve"]
