// Redis goes away under a running client and comes back: what was evaluated before keeps its value, no call waits, and
// afterwards the client is as good as new.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class OutageTests(OutageRuns runs) : IClassFixture<OutageRuns>
{
    public static MatrixTheoryData<Outage, CacheResidency, CacheFreshness> Matrix() => new(
        Enum.GetValues<Outage>(), [CacheResidency.All, CacheResidency.Lazy], Enum.GetValues<CacheFreshness>());

    [Theory]
    [MemberData(nameof(Matrix))]
    public Task Flags_keep_their_values_without_a_wait_and_follow_again_afterwards(
        Outage outage, CacheResidency residency, CacheFreshness freshness) => runs.Of(outage, residency, freshness);

    [Fact]
    public async Task A_call_that_waits_for_Redis_is_seen_by_the_measure_of_these_tests()
    {
        using RedisServer server = new();
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("yes", 1, true));
        FlagstoneClient client = await environment.StartAsync(options =>
        {
            options.CacheResidency = CacheResidency.Off;
            options.RedisCommandTimeoutMs = 500;
        });
        using Context context = Context.New("ada");
        TimeSpan? longest = null;
        Thread thread = new(() =>
        {
            using CallTimer timer = new();
            timer.Time(() => client.BoolVariation("yes", context));
            longest = timer.Longest;
        });
        server.Stop();
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(30)));
        Assert.InRange(longest!.Value, OutageScenario.LongestCall * 2, TimeSpan.FromSeconds(10));
    }
}

/// <summary>All cases at once, as each has a server of its own and mostly waits.</summary>
public sealed class OutageRuns : IAsyncLifetime
{
    private readonly Dictionary<(Outage, CacheResidency, CacheFreshness), Task> _runs = [];

    public ValueTask InitializeAsync()
    {
        foreach ((Outage outage, CacheResidency residency, CacheFreshness freshness) in
            OutageTests.Matrix().Select(row => row.Data))
        {
            _runs[(outage, residency, freshness)] = Task.Run(async () =>
            {
                // A machine that is held up makes a run late, a call that waits for Redis makes all of them late.
                TimeSpan longest = TimeSpan.MaxValue;
                for (int run = 0; run < 3 && longest >= OutageScenario.LongestCall; run++)
                {
                    longest = await new OutageScenario(outage, freshness).RunAsync(residency);
                }
                Assert.True(longest < OutageScenario.LongestCall, $"in every run a call took {longest.TotalMilliseconds} ms");
            });
        }
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync() =>
        // What went wrong is told by the tests.
        await Task.WhenAll(_runs.Values).ContinueWith(_ => { }, TaskScheduler.Default);

    internal Task Of(Outage outage, CacheResidency residency, CacheFreshness freshness) => _runs[(outage, residency, freshness)];
}
