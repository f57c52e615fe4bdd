// The requests of the harness, and the clients that it has opened and not closed.
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone.ContractService;

/// <summary>A request that gets an error status.</summary>
internal sealed class RefusedException(int status, string message) : Exception(message)
{
    internal int Status { get; } = status;
}

internal sealed class Service(ILoggerFactory loggers, IHostApplicationLifetime lifetime) : IDisposable
{
    private static readonly string[] s_capabilities =
    [
        "server-side", "server-side-polling", "strongly-typed", "all-flags-with-reasons", "all-flags-client-side-only",
        "all-flags-details-only-for-tracked-flags", "client-prereq-events", "context-type", "context-comparison",
        "secure-mode-hash", "service-endpoints", "tags", "instance-id", "wrapper", "filtering", "filtering-strict",
        "polling-gzip", "http-proxy", "retry-conformance-fdv1-streaming", "retry-conformance-fdv1-polling", "tls:verify-peer",
        "tls:skip-verify-peer", "persistent-data-store-redis", "event-sampling", "event-gzip", "optional-event-gzip",
        "inline-context-all", "anonymous-redaction", "omit-anonymous-contexts", "evaluation-hooks", "track-hooks",
        "hook-environment-id", "migrations", "big-segments",
    ];

    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        MaxDepth = 256,
        Converters = { new JsonStringEnumConverter() },
    };

    private readonly ILogger _logger = loggers.CreateLogger("contract");
    private readonly ConcurrentDictionary<int, FlagstoneClient> _clients = new();
    private int _latest;

    internal void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", () =>
            new { name = "flagstone-dotnet", clientVersion = FlagstoneLibrary.Version, capabilities = s_capabilities });
        routes.MapDelete("/", End);
        routes.MapPost("/", (Delegate)OpenAsync);
        routes.MapPost("/clients/{number:int}", RunAsync);
        routes.MapDelete("/clients/{number:int}", Close);
    }

    /// <summary>Answers what went wrong: what the harness did wrong, and what is wrong here.</summary>
    internal async Task GuardAsync(HttpContext http, RequestDelegate next)
    {
        try
        {
            await next(http);
        }
        catch (Exception error)
        {
            (http.Response.StatusCode, string message) = error switch
            {
                RefusedException refusal => (refusal.Status, refusal.Message),
                ObjectDisposedException => (StatusCodes.Status404NotFound, "the client has been closed meanwhile"),
                JsonException or ArgumentException or FormatException or InvalidOperationException =>
                    (StatusCodes.Status400BadRequest, error.Message),
                _ => (StatusCodes.Status500InternalServerError, "the service failed; its log tells why"),
            };
            _logger.LogWarning(error, "{Method} {Path}", http.Request.Method, http.Request.Path);
            await http.Response.WriteAsync(message + "\n");
        }
    }

    /// <summary>Closes what was left open.</summary>
    public void Dispose()
    {
        foreach (KeyValuePair<int, FlagstoneClient> left in _clients)
        {
            _logger.LogInformation("client {Number} was left open", left.Key);
            left.Value.Dispose();
        }
    }

    private IResult End(HttpContext http)
    {
        // Not earlier: the process may end before it has sent its answer.
        http.Response.OnCompleted(() =>
        {
            lifetime.StopApplication();
            return Task.CompletedTask;
        });
        return Results.NoContent();
    }

    private async Task<IResult> OpenAsync(HttpContext http)
    {
        OpenRequest request = await ReadAsync<OpenRequest>(http);
        FlagstoneClient client = await Configuration.OpenAsync(request.Configuration, loggers);
        int number = Interlocked.Increment(ref _latest);
        _clients[number] = client;
        _logger.LogInformation("client {Number}: {Tag}", number, request.Tag);
        return Results.Created(new Uri(string.Create(CultureInfo.InvariantCulture, $"/clients/{number}"), UriKind.Relative), null);
    }

    private async Task<IResult> RunAsync(HttpContext http, int number)
    {
        FlagstoneClient client = _clients.TryGetValue(number, out FlagstoneClient? found) ? found : throw Unknown(number);
        return Results.Json(await Commands.RunAsync(client, await ReadAsync<CommandRequest>(http)), s_json);
    }

    private IResult Close(int number)
    {
        FlagstoneClient client = _clients.TryRemove(number, out FlagstoneClient? found) ? found : throw Unknown(number);
        client.Dispose();
        return Results.NoContent();
    }

    private static async Task<T> ReadAsync<T>(HttpContext http) =>
        await JsonSerializer.DeserializeAsync<T>(http.Request.Body, s_json) ?? throw new RefusedException(400, "the body is null");

    private static RefusedException Unknown(int number) => new(404, $"there is no client {number}");
}
