// A web application whose pages depend on flags in Redis.
//
//     make build
//     export FLAGSTONE_LIBRARY_PATH=$PWD/target/release/libflagstone.so
//     REDIS_URL=redis://localhost:6379 dotnet run --project examples/dotnet
//     curl 'http://localhost:5000/checkout?user=ada&country=se'
//
// The client is a singleton: one per process. A hosted service starts it before the first request and closes it after the last.
using System.Text.Json;
using Flagstone;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton(services => new FlagstoneClient(new FlagstoneOptions
{
    RedisUrl = builder.Configuration["REDIS_URL"],
    RedisPrefix = builder.Configuration["REDIS_PREFIX"],
    LoggerFactory = services.GetRequiredService<ILoggerFactory>(),
}));
builder.Services.AddSingleton<Features>();
builder.Services.AddHostedService<ClientLifetime>();
WebApplication app = builder.Build();

app.MapGet("/checkout", (Features features, string user, string? country) =>
{
    using Context visitor = Context.Builder(user).Set("country", country).Build();
    return features.NewPaymentForm.Value(visitor) ? "new payment form" : "old payment form";
});

app.MapGet("/flags/{key}", (FlagstoneClient client, string key, string user) =>
{
    using Context visitor = Context.New(user);
    JsonElement none = JsonSerializer.SerializeToElement<object?>(null);
    EvaluationDetail<JsonElement> detail = client.JsonVariationDetail(key, visitor, none);
    return new { value = detail.Value, reason = detail.Reason.ToString(), stale = detail.IsStale };
});

app.MapGet("/health", (FlagstoneClient client) =>
{
    FlagstoneStatus status = client.GetStatus();
    return Results.Json(
        new { state = status.State.ToString(), flags = status.FlagCount, lastError = status.LastError },
        statusCode: status.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
});

app.Run();

/// <summary>The flags that the pages ask for all the time, prepared once.</summary>
internal sealed class Features(FlagstoneClient client)
{
    public Flag<bool> NewPaymentForm { get; } = client.BoolFlag("checkout.new-payment-form");
}

/// <summary>Starts the client with the application and closes it in the end.</summary>
internal sealed class ClientLifetime(FlagstoneClient client, ILogger<ClientLifetime> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!await client.StartAsync(TimeSpan.FromSeconds(5), cancellationToken))
        {
            logger.LogWarning("no flags yet: pages are served with the defaults until Redis answers");
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => client.DisposeAsync().AsTask();
}
