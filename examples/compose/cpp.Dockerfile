# The program of examples/cpp. The library is built in an image of the same family as the one that runs it.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ make pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /flagstone
COPY . .
RUN cargo build --release --package flagstone-capi && FLAGSTONE_PROGRAM= tools/install.sh /usr/local
RUN c++ -std=c++17 -O2 -o /usr/local/bin/flags examples/cpp/flags.cpp $(PKG_CONFIG_PATH=/usr/local/lib/pkgconfig pkg-config --cflags --libs flagstone) -pthread

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/lib/libflagstone.so* /usr/local/lib/
COPY --from=build /usr/local/bin/flags /usr/local/bin/flags
RUN ldconfig
USER nobody
CMD ["flags", "redis://redis:6379", "launchdarkly", "new-checkout"]
