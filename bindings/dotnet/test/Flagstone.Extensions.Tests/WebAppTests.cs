// The example application under test, as its users test theirs: its own start-up, flags of the test in the place of Redis.
using System;
using System.Net;
using System.Net.Http;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed class WebAppTests : IDisposable
{
    private const string Flag = "checkout.new-payment-form";

    private readonly TestData _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task Each_request_has_the_context_of_its_visitor_which_ends_with_it()
    {
        _data.Update(_data.Flag(Flag).IfMatch("country", "se").ThenReturn(true).FallthroughVariation(false));
        Context? seen = null;
        using WebApplicationFactory<Program> factory = new WebApplicationFactory<Program>().WithWebHostBuilder(web =>
            web.ConfigureTestServices(services =>
            {
                services.Configure<FlagstoneOptions>(options => options.TestData = _data);
                services.Configure<FlagstoneOptions>(options => options.Hooks = [new Seeing(context => seen = context)]);
            }));
        using HttpClient browser = factory.CreateClient();
        Assert.Equal("Healthy", await GetAsync(browser, "/health"));
        Assert.Equal("new payment form", await GetAsync(browser, "/checkout?user=ada&country=se"));
        Assert.Equal("""{"country":"se","key":"ada","kind":"user"}""", Json(seen));
        Context first = seen!;
        Assert.Equal("old payment form", await GetAsync(browser, "/checkout?user=ada"));
        Assert.NotSame(first, seen);
        Assert.Equal("old payment form", await GetAsync(browser, "/checkout"));
        Assert.Equal("""{"anonymous":true,"key":"anonymous","kind":"user"}""", Json(seen));
        Assert.Equal("""{"value":true,"reason":"RULE_MATCH(0,rule0)","stale":false}""", await GetAsync(browser, $"/flags/{Flag}?user=eve&country=se"));
        _data.Update(_data.Flag(Flag).ClearRules().FallthroughVariation(true));
        Assert.Equal("new payment form", await GetAsync(browser, "/checkout?user=bob"));
    }

    [Fact]
    public async Task Settings_reach_the_client_and_a_wrong_one_names_itself()
    {
        using WebApplicationFactory<Program> wrong = new WebApplicationFactory<Program>()
            .WithWebHostBuilder(web => web.UseSetting("Flagstone:Redis:Url", "localhost"));
        OptionsValidationException error = Assert.Throws<OptionsValidationException>(() => wrong.CreateClient());
        Assert.StartsWith("Flagstone:Redis:Url: it is no URL", error.Message, StringComparison.Ordinal);

        using WebApplicationFactory<Program> away = new WebApplicationFactory<Program>().WithWebHostBuilder(web => web
            .UseSetting("Flagstone:Redis:Url", $"redis://127.0.0.1:{RedisServer.FreePort()}")
            .UseSetting("Flagstone:StartTimeout", "00:00:00.3"));
        using HttpClient browser = away.CreateClient();
        using HttpResponseMessage health = await browser.GetAsync(new Uri("/health", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal("old payment form", await GetAsync(browser, "/checkout?user=ada&country=se"));
    }

    private static string Json(Context? context)
    {
        using System.Text.Json.JsonDocument form = System.Text.Json.JsonDocument.Parse(context!.ToJsonString());
        System.Collections.Generic.SortedDictionary<string, System.Text.Json.JsonElement> members = new(StringComparer.Ordinal);
        foreach (System.Text.Json.JsonProperty member in form.RootElement.EnumerateObject())
        {
            members[member.Name] = member.Value;
        }
        return System.Text.Json.JsonSerializer.Serialize(members);
    }

    private static Task<string> GetAsync(HttpClient browser, string path) => browser.GetStringAsync(new Uri(path, UriKind.Relative));

    private sealed class Seeing(Action<Context?> see) : Hook("seeing")
    {
        public override System.Collections.Immutable.ImmutableDictionary<string, object?> BeforeEvaluation(
            EvaluationSeriesContext context, System.Collections.Immutable.ImmutableDictionary<string, object?> data)
        {
            see(context.Context);
            return data;
        }
    }
}
