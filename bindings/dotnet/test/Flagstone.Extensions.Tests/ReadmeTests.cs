// The code in C# that the READMEs print compiles and runs. tests/book compares them with this file, in which a field stands for what
// names a server: what is changed here is changed there, too. The program of a host is run by PackageTests.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.OpenFeature;
using Flagstone.Tests.Support;
using OpenFeature;
using OpenFeature.Model;
using Xunit;

namespace Flagstone.Extensions.Tests;

[Collection(Flagstone.Tests.Alone.Name)]
public sealed class ReadmeTests(RedisServer server) : IDisposable
{
    private readonly string _url = server.Url;
    private readonly string _snapshot = Path.Combine(Path.GetTempPath(), $"flagstone-readme-{Environment.ProcessId}");

    public void Dispose() => File.Delete(_snapshot);

    [Fact]
    public async Task Flags_from_redis()
    {
        await using var client = new FlagstoneClient(new FlagstoneOptions { RedisUrl = _url });
        await client.StartAsync(TimeSpan.FromSeconds(5));

        using var ada = Context.Builder("ada").Set("email", "ada@example.org").Build();
        if (client.BoolVariation("new-checkout", ada, false)) Console.WriteLine("new checkout");

        var limit = client.IntFlag("rate-limit", 100);             // prepared: key and default bound once
        Console.WriteLine($"{limit.Value(ada)} {limit.Detail(ada).Reason}");

        Assert.Equal(100, limit.Value(ada));
    }

    [Fact]
    public async Task Flags_from_launchdarkly_what_is_told_to_it_and_what_is_heard_of()
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
            SnapshotFile = _snapshot,
        });
        await client.StartAsync(TimeSpan.FromSeconds(5));          // false when LaunchDarkly is late: last known flags answer

        using Context ada = Context.New("ada");
        Assert.True(client.BoolVariation("new-checkout", ada, false));

        client.Identify(ada);
        client.Track("checkout-done", ada, JsonSerializer.SerializeToElement(new { items = 3 }), 59.90);   // for experiments
        await client.FlushAsync(TimeSpan.FromSeconds(5));          // true when all was delivered

        var page = client.AllFlagsState(ada, AllFlagsOptions.ClientSideOnly).ToJson();
        Assert.StartsWith("{", page, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Listen(client, ada, new CancellationToken(canceled: true)));
    }

    private static async Task Listen(FlagstoneClient client, Context ada, CancellationToken cancellationToken)
    {
        using var listener = client.OnFlagValueChanged("rate-limit", ada, change => Console.WriteLine($"{change.OldValue} -> {change.NewValue}"));

        await foreach (var change in client.FlagValueChangesAsync("rate-limit", ada, cancellationToken)) Console.WriteLine(change.NewValue);
    }

    [Fact]
    public async Task Flags_that_a_test_sets()
    {
        using var data = new TestData();
        data.Update(data.Flag("new-checkout").VariationForUser("ada", true).FallthroughVariation(false));
        await using var client = new FlagstoneClient(new FlagstoneOptions { TestData = data });
        await client.StartAsync();

        using Context ada = Context.New("ada");
        Assert.True(client.BoolVariation("new-checkout", ada, false));
    }

    private static Span Start(string key, string method) => new($"{key} {method}");

    private static void End(Span span, EvaluationReason reason) => Console.WriteLine($"{span.Name} {reason}");

    private sealed record Span(string Name);

    private sealed class Tracing() : Hook("tracing")
    {
        public override ImmutableDictionary<string, object?> BeforeEvaluation(
            EvaluationSeriesContext context, ImmutableDictionary<string, object?> data) =>
            data.Add("span", Start(context.FlagKey, context.Method));

        public override ImmutableDictionary<string, object?> AfterEvaluation(
            EvaluationSeriesContext context, ImmutableDictionary<string, object?> data, EvaluationDetail<JsonElement> detail)
        {
            End((Span)data["span"]!, detail.Reason);
            return data;
        }
    }

    [Fact]
    public void Hooks()
    {
        var client = new FlagstoneClient(new FlagstoneOptions { Hooks = [new Tracing()] });
        using Context ada = Context.New("ada");
        Assert.False(client.BoolVariation("new-checkout", ada, false));
        client.Dispose();
    }

    private sealed record Order(string Id);

    private sealed class Orders
    {
        private readonly ConcurrentDictionary<string, Order> _orders = new() { ["4711"] = new Order("4711") };

        public Task<Order> FindAsync(string id, CancellationToken stop) => Task.FromResult(_orders[id]);

        public Task<bool> SaveAsync(Order order, CancellationToken stop) => Task.FromResult(_orders.TryAdd(order.Id, order));
    }

    [Fact]
    public async Task Migrations()
    {
        (Orders oldStore, Orders newStore) = (new(), new());
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using TestData data = new();
        using FlagstoneClient client = new(new FlagstoneOptions { TestData = data });
        using Context ada = Context.New("ada");

        var migrator = new MigratorBuilder<Order, bool, string, Order>(client)
            .Read((id, stop) => oldStore.FindAsync(id, stop), (id, stop) => newStore.FindAsync(id, stop), (a, b) => a == b)
            .Write((order, stop) => oldStore.SaveAsync(order, stop), (order, stop) => newStore.SaveAsync(order, stop))
            .OriginTimeout(TimeSpan.FromSeconds(2))
            .Build();
        var order = await migrator.ReadAsync("orders-migration", ada, MigrationStage.Off, "4711", cancellationToken);

        Assert.Equal(new Order("4711"), order.Value);
    }

    private static Task<DateTimeOffset> LastSyncAsync(CancellationToken stop) => Task.FromResult(DateTimeOffset.UtcNow);

    private static Task<Dictionary<string, bool>> SegmentsOfAsync(string contextHash, CancellationToken stop) =>
        Task.FromResult(new Dictionary<string, bool> { ["vip.g7"] = contextHash.Length > 0 });

    private sealed class MyStore : IBigSegmentStore
    {
        public async Task<BigSegmentStoreMetadata?> GetMetadataAsync(CancellationToken stop) => new(await LastSyncAsync(stop));
        public async Task<IReadOnlyDictionary<string, bool>?> GetMembershipAsync(string contextHash, CancellationToken stop) =>
            await SegmentsOfAsync(contextHash, stop);          // { "vip.g7": true }
        public void Dispose() { }
    }

    [Fact]
    public async Task Big_segments()
    {
        using MyStore store = new();
        Assert.NotNull(await store.GetMetadataAsync(TestContext.Current.CancellationToken));
        Assert.NotNull(await store.GetMembershipAsync("hash", TestContext.Current.CancellationToken));
    }

    private sealed record Request(string[] Scopes);

    private sealed record AccessToken(string Token, DateTimeOffset ExpiresOn);

    private sealed class Identity(DateTimeOffset end)
    {
        public ValueTask<AccessToken> GetTokenAsync(Request request, CancellationToken stop) =>
            new(new AccessToken(request.Scopes[0], end));
    }

    [Fact]
    public async Task Credentials()
    {
        Identity identity = new(DateTimeOffset.UtcNow.AddHours(1));
        await using var client = new FlagstoneClient(new FlagstoneOptions
        {
            RedisUrl = "rediss://cache.example.org:6380",
            RedisCredentialsProvider = async stop =>
            {
                var token = await identity.GetTokenAsync(new(["https://redis.azure.com/.default"]), stop);
                return new RedisCredentials("my-object-id", token.Token, token.ExpiresOn - DateTimeOffset.UtcNow);
            },
        });
    }

    [Fact]
    public void Telemetry()
    {
        var client = new FlagstoneClient(new FlagstoneOptions { Plugins = [new TelemetryPlugin()], MetricsEvaluations = true });
        client.Dispose();
    }

    [Fact]
    public async Task Through_openfeature()
    {
        await Api.Instance.SetProviderAsync(new FlagstoneProvider(new FlagstoneOptions { RedisUrl = _url }));
        var ada = EvaluationContext.Builder().SetTargetingKey("ada").Set("email", "ada@example.org").Build();
        var isNew = await Api.Instance.GetClient().GetBooleanValueAsync("new-checkout", false, ada);

        Assert.False(isNew);
        await Api.Instance.GetProvider().ShutdownAsync();
    }
}
