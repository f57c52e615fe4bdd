// Connected mode from end to end: a small LaunchDarkly and a real Redis, killed, refusing and started again.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class ConnectedTests(RedisServer server) : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private static readonly (string Key, string Json)[] s_two = [Text("a", 1, "one"), Text("b", 1, "one")];

    private readonly TestEnvironment _environment = new(server);
    private readonly Context _ada = Context.New("ada");
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-connected-").FullName;

    public void Dispose()
    {
        _environment.Dispose();
        _ada.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_stream_feeds_memory_and_redis_and_every_reader_of_it()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
        Assert.Equal("one", client.StringVariation("a", _ada, ""));
        Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("a") == 1));
        FlagstoneClient reader = await _environment.StartAsync();
        Assert.Equal("one", reader.StringVariation("a", _ada, ""));
        launchDarkly.Patch(Text("a", 2, "two"));
        await ServesAsync(client, "a", "two");
        await ServesAsync(reader, "a", "two");
        launchDarkly.Delete("b", 5);
        await ServesAsync(client, "b", "");
        await ServesAsync(reader, "b", "");
        Assert.Equal(5, _environment.Version("b"));
        launchDarkly.Put(Text("c", 1, "new"));
        await ServesAsync(client, "c", "new");
        await ServesAsync(reader, "c", "new");
        Assert.Equal("gone", client.StringVariation("a", _ada, "gone"));
    }

    [Theory]
    [InlineData(CacheResidency.All)]
    [InlineData(CacheResidency.Lazy)]
    [InlineData(CacheResidency.Off)]
    public async Task While_LaunchDarkly_is_away_at_the_start_the_last_known_flags_come_from_redis(CacheResidency residency)
    {
        using LaunchDarkly launchDarkly = new(s_two);
        Action<FlagstoneOptions> options = Streaming(launchDarkly, more => more.CacheResidency = residency);
        await using (await _environment.StartAsync(options))
        {
            Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("a") == 1));
        }
        launchDarkly.Kill();
        await using FlagstoneClient client = new(_environment.Options(options));
        Assert.False(await client.StartAsync(TimeSpan.FromMilliseconds(300)));
        Assert.False(client.IsReady);
        await ServesAsync(client, "a", "one");
        Assert.True(client.StringVariationDetail("a", _ada, "").IsStale, "nobody vouches for it");
        // The failure may come a moment after what it leads to.
        Assert.True(await Eventually.IsTrueAsync(() => client.DataSourceStatus!.LastError is not null));
        DataSourceStatus source = client.DataSourceStatus!;
        Assert.Equal((DataSourceState.Initializing, DataSourceErrorKind.NetworkError), (source.State, source.LastError!.Kind));
        Assert.True(await Eventually.IsTrueAsync(() => client.StoreStatus.Available));
        launchDarkly.Patch(Text("a", 2, "two"));
        Task<bool> again = client.StartAsync();
        Assert.False(again.IsCompleted);
        launchDarkly.Start();
        Assert.True(await again.WaitAsync(s_long));
        await ServesAsync(client, "a", "two");
        Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("a") == 2));
        Assert.True(await Eventually.IsTrueAsync(() => !client.StringVariationDetail("a", _ada, "").IsStale));
    }

    [Fact]
    public async Task A_patch_made_while_redis_is_away_is_served_at_once_and_written_afterwards()
    {
        using RedisServer own = new();
        using TestEnvironment environment = new(own);
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await environment.StartAsync(Streaming(launchDarkly));
        ConcurrentQueue<StatusChangedEventArgs> heard = new();
        client.StatusChanged += (_, change) => heard.Enqueue(change);
        Assert.True(await Eventually.IsTrueAsync(() => environment.Version("a") == 1));
        own.Command("SAVE");
        own.Kill();
        launchDarkly.Patch(Text("a", 2, "two"));
        launchDarkly.Patch(Text("c", 1, "new"));
        await ServesAsync(client, "a", "two");
        await ServesAsync(client, "c", "new");
        Assert.True(await Eventually.IsTrueAsync(() => !client.StoreStatus.Available));
        Assert.Equal((DataSourceState.Valid, DataSourceState.Valid), (client.State, client.DataSourceStatus!.State));
        Assert.False(client.StringVariationDetail("a", _ada, "").IsStale, "the data source is up to date");
        own.Start();
        Assert.True(await Eventually.IsTrueAsync(() => (environment.Version("a"), environment.Version("c")) == (2, 1)));
        Assert.Equal(1, environment.Version("b"));
        Assert.True(await Eventually.IsTrueAsync(() => client.StoreStatus.Available));
        Assert.True(await Eventually.IsTrueAsync(() => heard.LastOrDefault()?.Store.Available == true));
        Assert.Contains(heard, change => !change.Store.Available);
        // What was queued before the source had delivered may come late.
        Assert.All(heard.SkipWhile(change => change.State == DataSourceState.Initializing), change => Assert.Equal(
            (DataSourceState.Valid, DataSourceState.Valid), (change.State, change.DataSource!.State)));
    }

    [Fact]
    public async Task A_redis_that_lost_everything_is_filled_again()
    {
        using RedisServer own = new();
        using TestEnvironment environment = new(own);
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await environment.StartAsync(Streaming(launchDarkly));
        Assert.True(await Eventually.IsTrueAsync(() => environment.Version("a") == 1));
        own.Restart();
        Assert.True(await Eventually.IsTrueAsync(() => (environment.Version("a"), environment.Version("b")) == (1, 1)));
        Assert.Equal("one", client.StringVariation("a", _ada, ""));
    }

    [Fact]
    public async Task What_was_patched_just_before_the_end_is_written_and_closing_takes_no_longer_than_it_may()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        List<long> times = [];
        for (int version = 2; version < 12; version++)
        {
            FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
            launchDarkly.Patch(Text("b", version, "x"));
            // A Redis that was not found yet gets nothing at the end.
            Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("b") == version));
            launchDarkly.Patch(Text("a", version, $"{version}"));
            await ServesAsync(client, "a", $"{version}");
            times.Add(await InTime.OfCloseAsync(client, version % 2 == 0));
            // Closing does not wait for ever: on a busy machine the write may come after it.
            Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("a") == version));
        }
        // Most of them: a busy machine makes single ones late.
        Assert.True(times.Order().ElementAt(7) < 2100, string.Join(", ", times));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Closing_takes_no_longer_than_it_may_while_redis_and_the_stream_hang(bool blocking) =>
        InTime.RunAsync(2100, async () =>
    {
        using RedisServer own = new();
        using TestEnvironment environment = new(own);
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await environment.StartAsync(Streaming(launchDarkly, options =>
        {
            options.RedisCommandTimeoutMs = 20_000;
            options.RedisPingMs = 20_000;
        }));
        Assert.True(await Eventually.IsTrueAsync(() => environment.Version("a") == 1));
        own.Stop();
        launchDarkly.Patch(Text("a", 2, "two"));
        await ServesAsync(client, "a", "two");
        long took = await InTime.OfCloseAsync(client, blocking);
        Assert.Equal("two", client.StringVariation("a", _ada, ""));
        own.Continue();
        return took;
    });

    [Fact]
    public async Task A_refused_sdk_key_is_told_at_once_and_the_last_known_flags_answer()
    {
        _environment.Write(Text("a", 1, "known"));
        using LaunchDarkly launchDarkly = new(s_two);
        await using FlagstoneClient client =
            new(_environment.Options(Streaming(launchDarkly, options =>
            {
                options.SdkKey = "wrong";
                options.RetryMode = RetryMode.Legacy;
            })));
        ConcurrentQueue<StatusChangedEventArgs> heard = new();
        client.StatusChanged += (_, change) => heard.Enqueue(change);
        DateTimeOffset began = DateTimeOffset.UtcNow.AddSeconds(-1);
        Assert.False(await client.StartAsync().WaitAsync(s_long));
        Assert.False(await client.StartAsync(TimeSpan.FromMinutes(5)).WaitAsync(s_long), "and again");
        Assert.Equal(DataSourceState.Off, client.State);
        DataSourceStatus source = client.DataSourceStatus!;
        DataSourceError error = source.LastError!;
        Assert.Equal((DataSourceState.Off, DataSourceErrorKind.ErrorResponse, 401), (source.State, error.Kind, error.HttpStatus));
        Assert.NotEmpty(error.Message);
        Assert.InRange(error.Time, began, DateTimeOffset.UtcNow.AddSeconds(1));
        Assert.InRange(source.StateSince, began, DateTimeOffset.UtcNow.AddSeconds(1));
        await ServesAsync(client, "a", "known");
        Assert.True(await Eventually.IsTrueAsync(
            () => heard.Any(change => change.State == DataSourceState.Off && source.Equals(change.DataSource))));
        Assert.False(await client.WaitAsync(DataSourceState.Valid, TimeSpan.FromMinutes(5)).WaitAsync(s_long));
        Assert.True(await client.WaitAsync(DataSourceState.Off, TimeSpan.Zero));
        FlagstoneStatus status = client.GetStatus();
        Assert.Equal((DataSourceState.Off, source, false), (status.State, status.DataSource, status.IsReady));
    }

    [Fact]
    public async Task Retries_go_on_after_a_refused_sdk_key_unless_told_otherwise()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        await using FlagstoneClient client = new(_environment.Options(Streaming(launchDarkly, options => options.SdkKey = "wrong")));
        Assert.False(await client.StartAsync(TimeSpan.Zero));
        Assert.True(await Eventually.IsTrueAsync(() => client.DataSourceStatus!.LastError?.HttpStatus == 401));
        Assert.Equal(DataSourceState.Initializing, client.State);
    }

    [Fact]
    public async Task Handlers_hear_the_condition_of_source_and_store()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        await using FlagstoneClient client = new(_environment.Options(Streaming(launchDarkly)));
        ConcurrentQueue<StatusChangedEventArgs> heard = new();
        client.StatusChanged += (_, change) => heard.Enqueue(change);
        Assert.True(await client.StartAsync(s_long));
        // Redis is found at its own time.
        Assert.True(await Eventually.IsTrueAsync(
            () => heard.LastOrDefault() is { State: DataSourceState.Valid, Store.Available: true }));
        Assert.Null(heard.Last().DataSource!.LastError);
        launchDarkly.Kill();
        Assert.True(await client.WaitAsync(DataSourceState.Interrupted, s_long));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Last().State == DataSourceState.Interrupted));
        DataSourceStatus source = heard.Last().DataSource!;
        Assert.Equal(DataSourceState.Interrupted, source.State);
        Assert.Equal((DataSourceErrorKind.NetworkError, null), (source.LastError!.Kind, source.LastError.HttpStatus));
        Assert.NotEmpty(source.LastError.Message);
        Assert.NotEmpty(heard.Last().Reason);
        Assert.True(heard.Last().Store.Available);
        Task<bool> valid = client.WaitAsync(DataSourceState.Valid, s_long);
        launchDarkly.Start();
        Assert.True(await valid);
        Assert.True(await Eventually.IsTrueAsync(() => heard.Last().State == DataSourceState.Valid));
        DataSourceStatus after = heard.Last().DataSource!;
        Assert.NotNull(after.LastError);
        Assert.True(after.StateSince >= source.StateSince);
        Assert.Equal(client.DataSourceStatus, after);
        Assert.Equal(client.GetStatus().DataSource, after);
    }

    [Fact]
    public async Task A_wait_ends_by_time_by_cancellation_and_by_closing()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
        Stopwatch watch = Stopwatch.StartNew();
        Assert.False(await client.WaitAsync(DataSourceState.Interrupted, TimeSpan.FromMilliseconds(300)));
        Assert.InRange(watch.ElapsedMilliseconds, 290, 5000);
        using CancellationTokenSource stop = new(100);
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => client.WaitAsync(DataSourceState.Interrupted, Timeout.InfiniteTimeSpan, stop.Token));
        Assert.Equal(stop.Token, error.CancellationToken);
        Assert.True(client.WaitAsync(DataSourceState.Off, s_long, stop.Token).IsCanceled);
        Task<bool> interrupted = client.WaitAsync(DataSourceState.Interrupted, Timeout.InfiniteTimeSpan);
        Task<bool> off = client.WaitAsync(DataSourceState.Off, Timeout.InfiniteTimeSpan);
        await client.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => interrupted.WaitAsync(s_long));
        Assert.True(await off.WaitAsync(s_long));
    }

    [Fact]
    public Task A_wait_ends_also_while_a_handler_keeps_the_thread_of_the_client() => InTime.RunAsync(2100, async () =>
    {
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = new(_environment.Options(Streaming(launchDarkly)));
        using ManualResetEventSlim release = new();
        client.StatusChanged += (_, _) => release.Wait(s_long * 4);
        Assert.True(await client.StartAsync().WaitAsync(s_long));
        launchDarkly.Kill();
        Assert.True(await client.WaitAsync(DataSourceState.Interrupted, Timeout.InfiniteTimeSpan).WaitAsync(s_long));
        long blocking = await InTime.OfCloseAsync(client, true);
        long waiting = await InTime.OfCloseAsync(client, false);
        Assert.False(release.IsSet, "the handler is still at it");
        release.Set();
        return Math.Max(blocking, waiting);
    });

    [Fact]
    public async Task Polling_sees_changes_and_asks_with_everything_that_was_configured()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        await using (FlagstoneClient client = new(new FlagstoneOptions
        {
            SourceKind = SourceKind.Poll,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsPoll = launchDarkly.Url,
            EndpointsStream = "http://127.0.0.1:1",
            PollIntervalMs = 50,
            PollAllowShort = true,
            SourceFilter = "mobile",
            HttpHeaders = new Dictionary<string, string> { ["X-Team"] = "red", ["X-Other"] = "1" },
            ApplicationId = "shop",
            ApplicationVersion = "7.1",
            WrapperName = "Wrap",
            WrapperVersion = "2",
            EventsEnabled = false,
        }))
        {
            Assert.True(await client.StartAsync(s_long));
            Assert.Equal("one", client.StringVariation("a", _ada, ""));
            launchDarkly.Patch(Text("a", 2, "two"));
            await ServesAsync(client, "a", "two");
            Assert.Equal(new DataStoreStatus(true, null), client.StoreStatus);
        }
        JsonElement request = launchDarkly.Requests()[0];
        Assert.Equal(
            ("/sdk/latest-all", "filter=mobile"),
            (request.GetProperty("path").GetString(), request.GetProperty("query").GetString()));
        JsonElement headers = request.GetProperty("headers");
        foreach ((string name, string value) in new[]
        {
            ("authorization", LaunchDarkly.SdkKey), ("x-team", "red"), ("x-other", "1"), ("x-launchdarkly-wrapper", "Wrap/2"),
            ("x-launchdarkly-tags", "application-id/shop application-version/7.1"),
        })
        {
            Assert.Equal(value, headers.GetProperty(name).GetString());
        }
    }

    [Fact]
    public async Task Flags_come_from_files_and_again_when_these_change()
    {
        string one = Path.Combine(_folder, "one.json");
        string other = Path.Combine(_folder, "other.json");
        File.WriteAllText(one, """{"flagValues":{"a":"one","n":3}}""");
        File.WriteAllText(other, $$$"""{"flags":{"b":{{{Flags.Bool("b", 1, true).Json}}}},"flagValues":{"a":"second"}}""");
        FlagstoneOptions options = new() { SourceKind = SourceKind.File, FilePaths = [one, other] };
        await using (FlagstoneClient refused = new(options))
        {
            Assert.False(await refused.StartAsync(TimeSpan.FromSeconds(0.5)), "a is in both");
            Assert.True(await Eventually.IsTrueAsync(() => refused.DataSourceStatus!.LastError is not null));
            Assert.Equal(DataSourceErrorKind.InvalidData, refused.DataSourceStatus!.LastError!.Kind);
        }
        options.FileDuplicates = FileDuplicates.First;
        options.FileAutoReload = true;
        await using FlagstoneClient client = new(options);
        Assert.True(await client.StartAsync(s_long));
        Assert.Equal(
            ("one", true, 3),
            (client.StringVariation("a", _ada, ""), client.BoolVariation("b", _ada), client.IntVariation("n", _ada, 0)));
        string fresh = Path.Combine(_folder, "fresh.json");
        File.WriteAllText(fresh, """{"flagValues":{"a":"changed"}}""");
        File.Move(fresh, one, overwrite: true);
        await ServesAsync(client, "a", "changed");
        Assert.Equal(0, client.IntVariation("n", _ada, 0));
        File.WriteAllText(one, "{oops");
        Assert.True(await client.WaitAsync(DataSourceState.Interrupted, s_long));
        Assert.Equal("changed", client.StringVariation("a", _ada, ""));
    }

    [Fact]
    public async Task When_nothing_answers_at_the_start_the_snapshot_file_does()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        string file = Path.Combine(_folder, "snapshot");
        FlagstoneOptions options = new()
        {
            SourceKind = SourceKind.Stream,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = launchDarkly.Url,
            SnapshotFile = file,
        };
        await using (FlagstoneClient first = new(options))
        {
            Assert.True(await first.StartAsync(s_long));
            Assert.True(await Eventually.IsTrueAsync(() => File.Exists(file)));
            Assert.False(first.GetStatus().IsFromFile);
        }
        launchDarkly.Kill();
        options.RedisUrl = $"redis://127.0.0.1:{RedisServer.FreePort()}";
        await using FlagstoneClient client = new(options);
        Assert.False(await client.StartAsync(TimeSpan.FromMilliseconds(200)));
        await ServesAsync(client, "a", "one");
        Assert.True(client.StringVariationDetail("a", _ada, "").IsStale);
        Assert.True(client.GetStatus().IsFromFile);
        Assert.False(client.StoreStatus.Available);
    }

    [Fact]
    public async Task Offline_nothing_is_asked_and_every_evaluation_gives_its_default()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        await using FlagstoneClient client =
            new(_environment.Options(Streaming(launchDarkly, options => options.Offline = true)));
        Assert.True(await client.StartAsync().WaitAsync(s_long));
        Assert.True(client.IsReady && client.GetStatus().IsReady);
        EvaluationDetail<string> detail = client.StringVariationDetail("a", _ada, "default");
        Assert.Equal(("default", EvaluationErrorKind.ClientNotReady), (detail.Value, detail.Reason.ErrorKind));
        Assert.False(client.AllFlagsState(_ada).Valid);
        Assert.Equal(0, launchDarkly.Requests().GetArrayLength());
    }

    [Fact]
    public async Task Handlers_hear_what_the_stream_changes()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
        ConcurrentQueue<(string, long?, long?)> heard = new();
        client.FlagChanged += (_, change) => heard.Enqueue((change.Key, change.OldVersion, change.NewVersion));
        launchDarkly.Patch(Text("a", 2, "two"));
        launchDarkly.Delete("b", 3);
        launchDarkly.Patch(Text("c", 7, "new"));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Count >= 3));
        Assert.Equal([("a", 1, 2), ("b", 1, 3), ("c", null, 7)], heard);
    }

    [Fact]
    public async Task After_close_evaluation_answers_and_everything_else_is_refused()
    {
        using LaunchDarkly launchDarkly = new(s_two);
        FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
        await client.DisposeAsync();
        Assert.Equal("one", client.StringVariation("a", _ada, ""));
        Assert.Equal(DataSourceState.Off, client.State);
        Assert.False(client.IsReady);
        Assert.Throws<ObjectDisposedException>(() => client.DataSourceStatus);
        Assert.Throws<ObjectDisposedException>(() => client.StoreStatus);
        Assert.Throws<ObjectDisposedException>(client.GetStatus);
        Assert.Throws<ObjectDisposedException>(() => client.AllFlagsState(_ada));
        Assert.Throws<ObjectDisposedException>(() => client.SecureModeHash(_ada));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.StartAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.WaitAsync(DataSourceState.Valid, s_long));
    }

    [Fact]
    public async Task Threads_evaluate_while_flags_stream_in_and_no_value_comes_back()
    {
        using LaunchDarkly launchDarkly = new(Flags.Value("n", 1, "1"));
        FlagstoneClient client = await _environment.StartAsync(Streaming(launchDarkly));
        Flag<int> flag = client.IntFlag("n", 0);
        ConcurrentQueue<(int, int)> wrong = new();
        bool over = false;
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            int last = 0;
            while (!Volatile.Read(ref over))
            {
                int seen = flag.Value(_ada);
                if (seen < last)
                {
                    wrong.Enqueue((last, seen));
                }
                last = seen;
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        for (int version = 2; version < 200; version++)
        {
            launchDarkly.Patch(Flags.Value("n", version, $"{version}"));
        }
        bool arrived = await Eventually.IsTrueAsync(() => flag.Value(_ada) == 199, 60);
        Volatile.Write(ref over, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.True(arrived);
        Assert.Empty(wrong);
        Assert.True(await Eventually.IsTrueAsync(() => _environment.Version("n") == 199));
    }

    /// <summary>Options of a client that streams and keeps the flags in Redis; quick to notice what happens.</summary>
    private static Action<FlagstoneOptions> Streaming(
        LaunchDarkly launchDarkly, Action<FlagstoneOptions>? more = null) => options =>
    {
        options.SourceKind = SourceKind.Stream;
        options.SdkKey = LaunchDarkly.SdkKey;
        options.EndpointsRelay = launchDarkly.Url;
        options.StreamInitialDelayMs = 20;
        options.RefreshIntervalMs = 500;
        more?.Invoke(options);
    };

    private static (string Key, string Json) Text(string key, int version, string text) =>
        Flags.Value(key, version, $"\"{text}\"");

    private async Task ServesAsync(FlagstoneClient client, string key, string value) => Assert.True(
        await Eventually.IsTrueAsync(() => client.StringVariation(key, _ada, "") == value),
        $"{key}: {client.StringVariation(key, _ada, "")} instead of {value}");
}
