# The web application of examples/dotnet. The library is built in an image of the same family as the one that runs it.
FROM rust:1.95-bookworm AS native
WORKDIR /flagstone
COPY . .
RUN cargo build --release --package flagstone-capi

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /flagstone
COPY . .
RUN dotnet publish examples/dotnet/WebApp.csproj --configuration Release --output /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0
COPY --from=build /app /app
COPY --from=native /flagstone/target/release/libflagstone.so /app/libflagstone.so
ENV FLAGSTONE_LIBRARY_PATH=/app/libflagstone.so
WORKDIR /app
USER app
EXPOSE 8000
ENTRYPOINT ["dotnet", "WebApp.dll"]
