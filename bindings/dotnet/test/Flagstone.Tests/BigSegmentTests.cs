// Big segments from Redis, and from a store of the host's own, whatever that one does.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class BigSegmentTests : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly TestData _data = new();
    private readonly ListLogger _logger = new();
    private readonly Context _ada = Context.New("ada");

    public void Dispose()
    {
        _data.Dispose();
        _logger.Dispose();
        _ada.Dispose();
    }

    [Fact]
    public async Task A_store_says_who_is_in_a_big_segment()
    {
        TestStore store = new();
        store.Members["ada"] = new() { ["vip.g1"] = true };
        store.Members["bob"] = new() { ["vip.g1"] = false, ["other.g1"] = true };
        await using FlagstoneClient client = await StartAsync(store);
        Assert.Equal((true, BigSegmentsStatus.Healthy), Ask(client, "ada"));
        Assert.Equal((false, BigSegmentsStatus.Healthy), Ask(client, "bob"));
        Assert.Equal((false, BigSegmentsStatus.Healthy), Ask(client, "eve"));
        // Remembered.
        Assert.Equal((true, BigSegmentsStatus.Healthy), Ask(client, "ada"));
        Assert.Equal([Hash("ada"), Hash("bob"), Hash("eve")], store.Asked);
        BigSegmentStoreStatus status = client.GetBigSegmentStoreStatus();
        Assert.Equal((true, false, store.LastUpToDate), (status.Available, status.IsStale, status.LastUpToDate));
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("throws at once")]
    [InlineData("hangs")]
    [InlineData("blocks")]
    [InlineData("null task")]
    [InlineData("no text")]
    [InlineData("null dictionary that lies")]
    public async Task A_store_that_fails_gives_STORE_ERROR_in_limited_time_and_is_logged_once(string failure)
    {
        TestStore store = new() { Failure = failure };
        store.Members["ada"] = new() { ["vip.g1"] = true };
        await using FlagstoneClient client = await StartAsync(store, options => options.RedisCommandTimeoutMs = 300);
        Stopwatch watch = Stopwatch.StartNew();
        Assert.Equal((false, BigSegmentsStatus.StoreError), Ask(client, "ada"));
        Assert.Equal((false, BigSegmentsStatus.StoreError), Ask(client, "ada"));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        Assert.Single(_logger.Lines, line => line.Text.StartsWith("The big-segment store failed.", StringComparison.Ordinal));
        store.Failure = null;
        Assert.Equal((true, BigSegmentsStatus.Healthy), Ask(client, "ada"));
        store.Failure = failure;
        Assert.Equal((false, BigSegmentsStatus.StoreError), Ask(client, "eve"));
        Assert.Equal(2, _logger.Lines.Count(line => line.Text.StartsWith("The big-segment store failed.", StringComparison.Ordinal)));
        store.Release.Set();
    }

    [Fact]
    public async Task A_store_whose_time_is_over_is_told()
    {
        TestStore store = new() { Failure = "hangs" };
        await using FlagstoneClient client = await StartAsync(store, options => options.Set("redis.command_timeout_ms", "50"));
        Assert.Equal((false, BigSegmentsStatus.StoreError), Ask(client, "ada"));
        Assert.True(await Eventually.IsTrueAsync(() => store.Cancelled > 0));
    }

    [Fact]
    public async Task The_status_is_polled_and_its_changes_are_told()
    {
        TestStore store = new();
        ConcurrentQueue<BigSegmentStoreStatusChangedEventArgs> heard = new();
        await using FlagstoneClient client = new(Options(store, options => options.BigSegmentsPollIntervalMs = 20));
        client.BigSegmentStoreStatusChanged += (_, change) => heard.Enqueue(change);
        Assert.True(await client.StartAsync(s_long));
        Assert.True(client.GetBigSegmentStoreStatus() is { Available: true, IsStale: false });
        store.LastUpToDate = DateTimeOffset.UnixEpoch.AddDays(1);
        Assert.True(await Eventually.IsTrueAsync(() => heard.LastOrDefault()?.Status is { Available: true, IsStale: true }));
        Assert.Equal(store.LastUpToDate, heard.Last().Status.LastUpToDate);
        store.LastUpToDate = null;
        Assert.True(await Eventually.IsTrueAsync(() => client.GetBigSegmentStoreStatus() is { IsStale: true, LastUpToDate: null }));
        store.Failure = "throws";
        Assert.True(await Eventually.IsTrueAsync(() => heard.Last().Status is { Available: false }));
        Assert.NotEmpty(heard.Last().Reason);
        store.Failure = null;
        store.LastUpToDate = DateTimeOffset.UtcNow;
        Assert.True(await Eventually.IsTrueAsync(() => heard.Last().Status is { Available: true, IsStale: false }));
    }

    [Fact]
    public async Task A_store_that_evaluates_flags_does_not_wait_for_itself()
    {
        FlagstoneClient? client = null;
        TestStore store = new() { OnAsked = () => Ask(client!, "bob") };
        store.Members["ada"] = new() { ["vip.g1"] = true };
        await using FlagstoneClient own = client = await StartAsync(store, options => options.RedisCommandTimeoutMs = 300);
        Stopwatch watch = Stopwatch.StartNew();
        Ask(client, "ada");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
    }

    [Fact]
    public async Task The_store_ends_with_the_client_and_is_not_asked_any_more()
    {
        TestStore store = new() { DisposeThrows = true };
        store.Members["ada"] = new() { ["vip.g1"] = true };
        FlagstoneClient client = await StartAsync(store);
        client.Dispose();
        await client.DisposeAsync();
        Assert.Equal(1, store.DisposedCount);
        Assert.Equal((false, BigSegmentsStatus.StoreError), Ask(client, "ada"));
        Assert.Empty(store.Asked);
        Assert.Throws<ObjectDisposedException>(client.GetBigSegmentStoreStatus);
        Assert.True(_logger.Has("could not be disposed of"));
    }

    [Fact]
    public void A_client_that_is_forgotten_lets_its_store_go()
    {
        WeakReference store = Forget();
        for (int round = 0; round < 100 && store.IsAlive; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(10);
        }
        Assert.False(store.IsAlive);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Forget()
        {
            TestStore store = new();
            FlagstoneClient client = StartAsync(store, options => options.BigSegmentsPollIntervalMs = 5).GetAwaiter().GetResult();
            Assert.Equal((false, BigSegmentsStatus.Healthy), Ask(client, "ada"));
            return new WeakReference(store);
        }
    }

    [Fact]
    public async Task Members_come_from_Redis_without_a_store()
    {
        using RedisServer own = new();
        own.Command("SADD", "p:big_segment_include:" + Hash("ada"), "vip.g1");
        string now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        own.Command("SET", "p:big_segments_synchronized_on", now);
        await using FlagstoneClient client = await StartAsync(null, options =>
        {
            options.BigSegmentsUrl = own.Url;
            options.BigSegmentsPrefix = "p";
            options.BigSegmentsCache = TimeSpan.FromSeconds(1);
            options.BigSegmentsPollInterval = TimeSpan.FromSeconds(1);
            options.BigSegmentsStaleAfter = TimeSpan.FromDays(1);
            options.BigSegmentsCacheSize = 10;
        });
        Assert.Equal((true, BigSegmentsStatus.Healthy), Ask(client, "ada"));
        Assert.Equal((false, BigSegmentsStatus.Healthy), Ask(client, "bob"));
        Assert.True(client.GetBigSegmentStoreStatus() is { Available: true, IsStale: false, LastUpToDate: not null });
    }

    [Fact]
    public async Task Without_a_store_nothing_is_configured()
    {
        await using FlagstoneClient client = await StartAsync(null);
        Assert.Equal((false, BigSegmentsStatus.NotConfigured), Ask(client, "ada"));
        Assert.True(client.GetBigSegmentStoreStatus() is { Available: false, IsStale: false, LastUpToDate: null });
    }

    private static (bool, BigSegmentsStatus?) Ask(FlagstoneClient client, string key)
    {
        using Context context = Context.New(key);
        EvaluationDetail<bool> detail = client.BoolVariationDetail("f", context);
        return (detail.Value, detail.Reason.BigSegmentsStatus);
    }

    private async Task<FlagstoneClient> StartAsync(TestStore? store, Action<FlagstoneOptions>? change = null)
    {
        FlagstoneClient client = new(Options(store, change));
        Assert.True(await client.StartAsync(s_long));
        return client;
    }

    private FlagstoneOptions Options(TestStore? store, Action<FlagstoneOptions>? change)
    {
        _data.SetSegment("""{"key":"vip","version":1,"unbounded":true,"generation":1,"salt":"s"}""");
        _data.SetFlag(Flags.With(
            "f", 1, """
            "rules":[{"id":"r","variation":1,"clauses":[{"attribute":"","op":"segmentMatch","values":["vip"]}]}]
            """, "false", "true").Json);
        FlagstoneOptions options = new() { TestData = _data, LoggerFactory = _logger, BigSegmentStore = store };
        change?.Invoke(options);
        return options;
    }

    private static string Hash(string key) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private sealed class TestStore : IBigSegmentStore
    {
        internal Dictionary<string, Dictionary<string, bool>> Members { get; } = [];

        internal DateTimeOffset? LastUpToDate { get; set; } =
            DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

        internal ConcurrentQueue<string> Asked { get; } = new();

        internal volatile string? Failure;

        internal Action? OnAsked { get; init; }

        internal ManualResetEventSlim Release { get; } = new();

        internal int Cancelled;

        internal bool DisposeThrows { get; init; }

        internal int DisposedCount { get; private set; }

        public Task<BigSegmentStoreMetadata?> GetMetadataAsync(CancellationToken cancellationToken) => Failure is null or "no text"
            ? Task.FromResult<BigSegmentStoreMetadata?>(LastUpToDate is null ? null : new(LastUpToDate))
            : throw new InvalidOperationException("metadata");

        public Task<IReadOnlyDictionary<string, bool>?> GetMembershipAsync(
            string contextHash, CancellationToken cancellationToken)
        {
            Asked.Enqueue(contextHash);
            OnAsked?.Invoke();
            switch (Failure)
            {
                case "throws at once":
                    throw new InvalidOperationException("membership");
                case "null task":
                    return null!;
                case "blocks":
                    Release.Wait(CancellationToken.None);
                    break;
                default:
                    break;
            }
            return AnswerAsync(contextHash, cancellationToken);
        }

        public void Dispose()
        {
            DisposedCount++;
            if (DisposeThrows)
            {
                throw new InvalidOperationException("dispose");
            }
        }

        private async Task<IReadOnlyDictionary<string, bool>?> AnswerAsync(string hash, CancellationToken cancellationToken)
        {
            await Task.Yield();
            switch (Failure)
            {
                case "throws":
                    throw new InvalidOperationException("membership");
                case "hangs":
                    using (cancellationToken.Register(() => Interlocked.Increment(ref Cancelled)))
                    {
                        await Task.Delay(Timeout.Infinite, cancellationToken);
                    }
                    break;
                case "no text":
                    return new Dictionary<string, bool> { ["\ud800"] = true };
                case "null dictionary that lies":
                    return new Liar();
                default:
                    break;
            }
            return Members.FirstOrDefault(entry => Hash(entry.Key) == hash).Value;
        }
    }

    /// <summary>Says that it has an entry, and has none.</summary>
    private sealed class Liar : IReadOnlyDictionary<string, bool>
    {
        public int Count => 1;

        public IEnumerable<string> Keys => throw new NotSupportedException();

        public IEnumerable<bool> Values => throw new NotSupportedException();

        public bool this[string key] => throw new NotSupportedException();

        public bool ContainsKey(string key) => throw new NotSupportedException();

        public bool TryGetValue(string key, out bool value) => throw new NotSupportedException();

        public IEnumerator<KeyValuePair<string, bool>> GetEnumerator() => throw new NotSupportedException();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
