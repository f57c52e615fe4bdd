// The code in C# that the book prints runs. tests/book compares its pages with this file, in which a field stands for what names a
// server: what is changed here is changed there, too.
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class BookTests : IDisposable
{
    private readonly RedisServer _server;
    private readonly string _url;

    public BookTests(RedisServer server)
    {
        (_server, _url) = (server, server.Url);
        _server.Write("demo", new Dictionary<string, string>
        {
            ["new-checkout"] = Flags.Bool("new-checkout", 1, true).Json,
            ["search-engine"] = Flags.Value("search-engine", 1, "\"classic\"").Json,
        });
    }

    public void Dispose() => _server.Command("DEL", "demo:features", "demo:$inited");

    [Fact]
    public async Task Flags_without_redis()
    {
        using var data = new TestData();
        data.Update(data.Flag("new-checkout").VariationForUser("ada", true).FallthroughVariation(false));
        await using var client = new FlagstoneClient(new FlagstoneOptions { TestData = data });
        await client.StartAsync();

        using var ada = Context.New("ada");
        Console.WriteLine(client.BoolVariation("new-checkout", ada, false));

        Assert.True(client.BoolVariation("new-checkout", ada, false));
        string text = client.AllFlagsState(ada, AllFlagsOptions.ClientSideOnly).ToJson().Replace("<", "\\u003c");
        Assert.StartsWith("{", text);
    }

    [Fact]
    public async Task Flags_from_redis()
    {
        await using var client = new FlagstoneClient(new FlagstoneOptions { RedisUrl = _url, RedisPrefix = "demo" });
        if (!await client.StartAsync(TimeSpan.FromSeconds(5)))
        {
            Console.WriteLine($"no flags yet: {client.GetStatus().LastError}");
        }

        using var ada = Context.Builder("ada").Set("email", "ada@example.org").Set("country", "DE").Build();
        Console.WriteLine(client.BoolVariation("new-checkout", ada, false));

        EvaluationDetail<string> detail = client.StringVariationDetail("search-engine", ada, "classic");
        Console.WriteLine($"{detail.Value}: {detail.Reason}{(detail.IsStale ? ", may be old" : "")}");

        Flag<bool> checkout = client.BoolFlag("new-checkout");
        Console.WriteLine(checkout.Value(ada));

        Assert.True(checkout.Value(ada));
        Assert.Equal("classic", detail.Value);
    }

    [Fact]
    public async Task From_launchdarklys_sdk()
    {
        await using var client = new FlagstoneClient(new FlagstoneOptions { RedisUrl = _url, RedisPrefix = "demo" });
        await client.StartAsync(TimeSpan.FromSeconds(5));

        using var ada = Context.Builder("ada").Set("email", "ada@example.org").Build();
        bool isNew = client.BoolVariation("new-checkout", ada, false);

        Assert.True(isNew);
    }

    [Fact]
    public async Task A_redis_that_the_program_fills()
    {
        using LaunchDarkly launchDarkly = new(Flags.Bool("new-checkout", 1, true));
        (string sdkKey, string relay) = (LaunchDarkly.SdkKey, launchDarkly.Url);
        await using var client = new FlagstoneClient(new FlagstoneOptions
        {
            SourceKind = SourceKind.Stream,
            SdkKey = sdkKey,
            EndpointsRelay = relay,
            RedisPrefix = "demo",
            RedisUrl = _url,
        });
        await client.StartAsync(TimeSpan.FromSeconds(5));

        using var ada = Context.New("ada");
        Assert.True(client.BoolVariation("new-checkout", ada, false));
    }
}
