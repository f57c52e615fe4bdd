// A web application whose pages depend on flags in Redis.
//
//     make build
//     target/cli/flagstone import examples/python/flags.yaml --yes     # the flag that it asks for
//     export FLAGSTONE_LIBRARY_PATH=$PWD/target/release/libflagstone.so
//     Flagstone__Redis__Url=redis://localhost:6379 dotnet run --project examples/dotnet
//     curl 'http://localhost:5000/checkout?user=ada&country=se'
//
// The client starts before the first request and ends after the last. Its options are the section Flagstone of the configuration: here
// they come from the environment, in appsettings.json they are {"Flagstone":{"Redis":{"Url":"redis://localhost:6379"}}}.
using System.Text.Json;
using Flagstone;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddFlagstone(builder.Configuration.GetSection("Flagstone"));
builder.Services.AddHealthChecks().AddFlagstone();

// Who asks: made once for each request that needs it, and disposed of with the request.
builder.Services.AddHttpContextAccessor();
builder.Services.AddFlagstoneContext(services =>
    Visitor.Of(services.GetRequiredService<IHttpContextAccessor>().HttpContext!.Request));
builder.Services.AddSingleton<Features>();
WebApplication app = builder.Build();

app.MapGet("/checkout", (Features features, Context visitor) =>
    features.NewPaymentForm.Value(visitor) ? "new payment form" : "old payment form");

app.MapGet("/flags/{key}", (FlagstoneClient client, string key, Context visitor) =>
{
    JsonElement none = JsonSerializer.SerializeToElement<object?>(null);
    EvaluationDetail<JsonElement> detail = client.JsonVariationDetail(key, visitor, none);
    return new { value = detail.Value, reason = detail.Reason.ToString(), stale = detail.IsStale };
});

// 200 Healthy; 200 Degraded while the last known flags answer; 503 Unhealthy when nothing was ever read.
app.MapHealthChecks("/health");

app.Run();

/// <summary>The flags that the pages ask for all the time, prepared once.</summary>
internal sealed class Features(FlagstoneClient client)
{
    public Flag<bool> NewPaymentForm { get; } = client.BoolFlag("checkout.new-payment-form");
}

/// <summary>Who a request is from. In an application with logins: what <c>HttpContext.User</c> says.</summary>
internal static class Visitor
{
    public static Context Of(HttpRequest request)
    {
        string? user = request.Query["user"];
        string? country = request.Query["country"];
        return string.IsNullOrEmpty(user)
            ? Context.Builder("anonymous").Anonymous(true).Set("country", country).Build()
            : Context.Builder(user).Set("country", country).Build();
    }
}
