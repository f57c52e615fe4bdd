// Migrations: which origins are read and written at each stage, in which order, and what is told of it.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class MigrationTests : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly TestData _data = new();
    private readonly ListLogger _logger = new();
    private readonly LaunchDarkly _launchDarkly = new();
    private readonly Context _ada = Context.New("ada");
    private readonly ConcurrentQueue<string> _calls = new();
    private readonly ManualResetEventSlim _release = new();

    public void Dispose()
    {
        _release.Set();
        _ada.Dispose();
        _data.Dispose();
        _launchDarkly.Dispose();
        _logger.Dispose();
    }

    [Theory]
    [InlineData("off", MigrationStage.Off)]
    [InlineData("dualwrite", MigrationStage.DualWrite)]
    [InlineData("shadow", MigrationStage.Shadow)]
    [InlineData("live", MigrationStage.Live)]
    [InlineData("rampdown", MigrationStage.RampDown)]
    [InlineData("complete", MigrationStage.Complete)]
    public async Task A_flag_says_the_stage(string value, MigrationStage stage)
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage(value);
        (MigrationStage served, MigrationTracker tracker) = client.MigrationVariation("m", _ada, MigrationStage.Off);
        Assert.Equal((stage, stage), (served, tracker.Stage));
        Assert.Equal(stage, client.MigrationVariation("missing", _ada, stage).Stage);
        Assert.Equal(stage, client.MigrationVariation("m", null, stage).Stage);
        Assert.Equal(stage, client.MigrationVariation("\ud800", _ada, stage).Stage);
        SetStage("other");
        Assert.Equal(stage, client.MigrationVariation("m", _ada, stage).Stage);
    }

    [Theory]
    [InlineData("off", "old", "old")]
    [InlineData("dualwrite", "old", "old new")]
    [InlineData("shadow", "old new", "old new")]
    [InlineData("live", "new old", "new old")]
    [InlineData("rampdown", "new", "new old")]
    [InlineData("complete", "new", "new")]
    public async Task Each_stage_reads_and_writes_its_origins_in_order(string stage, string reads, string writes)
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage(stage);
        foreach (MigrationExecutionOrder order in Enum.GetValues<MigrationExecutionOrder>())
        {
            Migrator<string, string, string, int> migrator = Builder(client).ReadExecutionOrder(order).Build();
            MigrationResult<string> read = await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id");
            string[] asked = reads.Split(' ');
            Assert.Equal((true, $"{asked[0]} id", null), (read.IsSuccessful, read.Value, read.Exception));
            Assert.Equal(asked[0], Word(read.Origin));
            Assert.Equal(asked.Select(origin => $"read {origin} id").Order(), _calls.Order());
            if (order == MigrationExecutionOrder.Serial)
            {
                Assert.Equal(asked.Select(origin => $"read {origin} id"), _calls);
            }
            _calls.Clear();
            MigrationWriteResult<string> write = await migrator.WriteAsync("m", _ada, MigrationStage.Off, 7);
            string[] written = writes.Split(' ');
            Assert.Equal(written.Select(origin => $"write {origin} 7"), _calls);
            Assert.Equal((written[0], $"{written[0]} 7"), (Word(write.Authoritative.Origin), write.Authoritative.Value));
            Assert.Equal(written.Length == 2 ? $"{written[1]} 7" : null, write.Nonauthoritative?.Value);
            _calls.Clear();
        }
    }

    [Fact]
    public async Task Random_order_begins_with_either_origin()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("live");
        Migrator<string, string, string, int> migrator = Builder(client).ReadExecutionOrder(MigrationExecutionOrder.Random).Build();
        HashSet<string> first = [];
        for (int round = 0; round < 1000 && first.Count < 2; round++)
        {
            Assert.Equal("new id", (await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id")).Value);
            first.Add(_calls.First());
            _calls.Clear();
        }
        Assert.Equal(["read new id", "read old id"], first.Order());
    }

    [Fact]
    public async Task Concurrent_reads_wait_for_each_other()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("shadow");
        using Barrier both = new(2);
        // Neither ends before the other has begun, though both block.
        Migrator<string, string, string, int> migrator = new MigratorBuilder<string, string, string, int>(client)
            .Read((_, _) => Meet("old"), (_, _) => Meet("new")).Build();
        Assert.Equal("old", (await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id").WaitAsync(s_long)).Value);

        Task<string> Meet(string result)
        {
            Assert.True(both.SignalAndWait(s_long));
            return Task.FromResult(result);
        }
    }

    [Fact]
    public async Task What_became_of_operations_is_told()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("shadow");
        Migrator<string, string, string, int> migrator = Builder(client, (_, _) => false).Build();
        await migrator.ReadAsync("m", _ada, MigrationStage.Live, "id");
        await migrator.WriteAsync("m", _ada, MigrationStage.Live, 7);
        await Builder(client, (_, _) => true).TrackLatency(false).Build().ReadAsync("m", _ada, MigrationStage.Live, "id");
        List<JsonElement> told = Operations(client);
        Assert.Equal(["read", "write", "read"], told.Select(operation => operation.GetProperty("operation").GetString()));
        JsonElement evaluation = told[0].GetProperty("evaluation");
        Assert.Equal(("m", "shadow", "live"), (
            evaluation.GetProperty("key").GetString(), evaluation.GetProperty("value").GetString(),
            evaluation.GetProperty("default").GetString()));
        Assert.Equal("""{"new":true,"old":true}""", Measured(told[0], "invoked", "values"));
        Assert.Equal("false", Measured(told[0], "consistent", "value"));
        Assert.Null(Measured(told[0], "error", "values"));
        JsonElement latency = JsonSerializer.Deserialize<JsonElement>(Measured(told[0], "latency_ms", "values")!);
        Assert.True(latency.GetProperty("old").GetDouble() >= 0 && latency.GetProperty("new").GetDouble() >= 0);
        Assert.Equal("""{"new":true,"old":true}""", Measured(told[1], "invoked", "values"));
        Assert.Null(Measured(told[1], "consistent", "value"));
        Assert.Equal(("true", null), (Measured(told[2], "consistent", "value"), Measured(told[2], "latency_ms", "values")));
    }

    [Theory]
    [InlineData("shadow")]
    [InlineData("live")]
    public async Task A_comparison_gets_the_old_result_first(string stage)
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage(stage);
        foreach (MigrationExecutionOrder order in Enum.GetValues<MigrationExecutionOrder>())
        {
            (string, string) compared = default;
            await Builder(client, (one, other) => (compared = (one, other)) != default)
                .ReadExecutionOrder(order).Build().ReadAsync("m", _ada, MigrationStage.Off, "id");
            Assert.Equal(("old id", "new id"), compared);
        }
    }

    [Fact]
    public async Task The_latency_of_an_origin_is_not_that_of_the_pool()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("off");
        int waits = 0;
        // Called by the thread of the pool that is going to call the origin.
        AsyncLocal<bool> slow = new(change =>
        {
            if (change is { ThreadContextChanged: true, CurrentValue: true } && Interlocked.Exchange(ref waits, 1) == 0)
            {
                Thread.Sleep(1000);
            }
        });
        Migrator<string, string, string, int> migrator = new MigratorBuilder<string, string, string, int>(client)
            .Read((_, _) => Task.FromResult("old"), (_, _) => Task.FromResult("new")).Build();
        slow.Value = true;
        await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id");
        slow.Value = false;
        Assert.Equal(1, waits);
        JsonElement latency = JsonSerializer.Deserialize<JsonElement>(
            Measured(Assert.Single(Operations(client)), "latency_ms", "values")!);
        Assert.InRange(latency.GetProperty("old").GetDouble(), 0, 900);
    }

    [Fact]
    public async Task A_failure_is_the_result_and_is_told()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("live");
        bool isCompared = false;
        Migrator<string, string, string, int> migrator = new MigratorBuilder<string, string, string, int>(client)
            .Read(
                (_, _) => throw new InvalidOperationException("old at once"),
                async (_, _) =>
                {
                    await Task.Yield();
                    throw new InvalidOperationException("new");
                },
                (_, _) => isCompared = true)
            .Write(
                (_, _) => throw new InvalidOperationException("unexpected"),
                (_, _) => throw new OperationCanceledException("by itself"))
            .Build();
        MigrationResult<string> read = await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id");
        Assert.Equal((false, null, "new", MigrationOrigin.New), (read.IsSuccessful, read.Value, read.Exception?.Message, read.Origin));
        MigrationWriteResult<string> write = await migrator.WriteAsync("m", _ada, MigrationStage.Off, 7);
        Assert.Equal(("by itself", null), (write.Authoritative.Exception?.Message, write.Nonauthoritative));
        await Builder(client).TrackErrors(false).Write((_, _) => null!, (_, _) => null!).Build()
            .WriteAsync("m", _ada, MigrationStage.Off, 7);
        Assert.False(isCompared);
        List<JsonElement> told = Operations(client);
        Assert.Equal("""{"new":true,"old":true}""", Measured(told[0], "error", "values"));
        Assert.Equal("""{"new":true}""", Measured(told[1], "error", "values"));
        Assert.Equal("""{"new":true}""", Measured(told[1], "invoked", "values"));
        Assert.Null(Measured(told[2], "error", "values"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_origin_that_never_returns_is_given_up_after_its_time(bool blocks)
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("live");
        CancellationToken given = default;
        Migrator<string, string, string, int> migrator = new MigratorBuilder<string, string, string, int>(client)
            .Read((_, token) => Never(blocks, given = token), (_, _) => Task.FromResult("new"))
            .OriginTimeout(TimeSpan.FromMilliseconds(1000))
            .Build();
        Assert.Equal("new", (await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id").WaitAsync(s_long)).Value);
        Assert.True(await Eventually.IsTrueAsync(() => given.IsCancellationRequested));
        SetStage("off");
        MigrationResult<string> old = await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id").WaitAsync(s_long);
        Assert.IsType<TimeoutException>(old.Exception);
        List<JsonElement> told = Operations(client);
        Assert.All(told, operation => Assert.Equal("""{"old":true}""", Measured(operation, "error", "values")));
        Assert.All(told, operation => Assert.InRange(
            JsonSerializer.Deserialize<JsonElement>(Measured(operation, "latency_ms", "values")!).GetProperty("old").GetDouble(),
            900, double.MaxValue));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_caller_who_gives_up_waits_for_nobody_and_nothing_is_told(bool blocks)
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("shadow");
        foreach (MigrationExecutionOrder order in Enum.GetValues<MigrationExecutionOrder>())
        {
            using CancellationTokenSource stop = new();
            Migrator<string, string, string, int> migrator = new MigratorBuilder<string, string, string, int>(client)
                .Read((_, token) => Begun(() => Never(blocks, token)), (_, token) => Never(blocks, token))
                .Write((_, token) => Begun(() => Never(blocks, token)), (_, _) => Task.FromResult("new"))
                .ReadExecutionOrder(order)
                .Build();
            Task read = migrator.ReadAsync("m", _ada, MigrationStage.Off, "id", stop.Token);
            Task write = migrator.WriteAsync("m", _ada, MigrationStage.Off, 7, stop.Token);
            Assert.True(await Eventually.IsTrueAsync(() => !_calls.IsEmpty));
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(s_long));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write.WaitAsync(s_long));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => migrator.ReadAsync("m", _ada, MigrationStage.Off, "id", stop.Token));
            _calls.Clear();
        }
        Assert.Empty(Operations(client));

        Task<string> Begun(Func<Task<string>> call)
        {
            _calls.Enqueue("begun");
            return call();
        }
    }

    [Fact]
    public async Task A_comparison_that_throws_is_logged_and_not_told()
    {
        await using FlagstoneClient client = await StartAsync();
        SetStage("shadow");
        Migrator<string, string, string, int> migrator =
            Builder(client, (_, _) => throw new InvalidOperationException("compare")).Build();
        Assert.Equal("old id", (await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id")).Value);
        Assert.Null(Measured(Assert.Single(Operations(client)), "consistent", "value"));
        Assert.Contains(_logger.Lines, line => line.Level == LogLevel.Error && line.Error?.Message == "compare");
    }

    [Fact]
    public async Task The_check_ratio_draws_which_reads_are_compared()
    {
        await using FlagstoneClient client = await StartAsync();
        _data.Update(_data.Flag("m").ValueForAll("shadow").MigrationCheckRatio(0));
        bool isCompared = false;
        Migrator<string, string, string, int> migrator = Builder(client, (_, _) => isCompared = true).Build();
        await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id");
        Assert.False(isCompared);
        (_, MigrationTracker tracker) = client.MigrationVariation("m", _ada, MigrationStage.Off);
        Assert.False(tracker.WantsCheck);
        tracker.SetConsistent(true);
        _data.Update(_data.Flag("m").MigrationCheckRatio(1));
        await migrator.ReadAsync("m", _ada, MigrationStage.Off, "id");
        Assert.True(isCompared && client.MigrationVariation("m", _ada, MigrationStage.Off).Tracker.WantsCheck);
    }

    [Fact]
    public async Task A_tracker_is_told_once_and_what_cannot_be_told_is_logged()
    {
        FlagstoneClient client = await StartAsync();
        SetStage("live");
        (_, MigrationTracker tracker) = client.MigrationVariation("m", _ada, MigrationStage.Off);
        client.TrackMigration(tracker);
        Assert.Contains(_logger.Lines, line =>
            line.Level == LogLevel.Warning && line.Text.StartsWith("An event was not sent: ", StringComparison.Ordinal));
        tracker.SetOperation(MigrationOperation.Write);
        tracker.SetInvoked(MigrationOrigin.New);
        tracker.SetInvoked(MigrationOrigin.Old);
        tracker.SetError(MigrationOrigin.Old);
        tracker.SetLatency(MigrationOrigin.New, TimeSpan.FromMilliseconds(2.5));
        tracker.SetConsistent(true);
        Assert.Throws<ArgumentException>(() => tracker.SetLatency(MigrationOrigin.New, TimeSpan.FromMilliseconds(-1)));
        Assert.Throws<ArgumentException>(() => tracker.SetInvoked((MigrationOrigin)2));
        Assert.Throws<ArgumentException>(() => tracker.SetOperation((MigrationOperation)2));
        client.TrackMigration(tracker);
        client.TrackMigration(tracker);
        Assert.Throws<ArgumentException>(() => tracker.SetError(MigrationOrigin.New));
        JsonElement told = Assert.Single(Operations(client));
        Assert.Equal("""{"new":2.5}""", Measured(told, "latency_ms", "values"));
        Assert.Equal("""{"old":true}""", Measured(told, "error", "values"));
        MigrationTracker untold = new(MigrationStage.Live);
        untold.SetOperation(MigrationOperation.Read);
        untold.SetInvoked(MigrationOrigin.New);
        untold.SetConsistent(true);
        Assert.False(untold.WantsCheck);
        client.TrackMigration(untold);
        client.Dispose();
        Assert.Equal(MigrationStage.Live, client.MigrationVariation("m", _ada, MigrationStage.Off).Stage);
        client.TrackMigration(tracker);
    }

    [Fact]
    public async Task What_is_no_migration_is_refused()
    {
        await using FlagstoneClient client = await StartAsync();
        Assert.Throws<ArgumentOutOfRangeException>(() => client.MigrationVariation("m", _ada, (MigrationStage)6));
        Assert.Throws<ArgumentNullException>(() => client.TrackMigration(null!));
        MigratorBuilder<string, string, string, int> builder = new(client);
        Assert.Throws<InvalidOperationException>(builder.Build);
        Assert.Throws<ArgumentNullException>(() => builder.Read(null!, (_, _) => Task.FromResult("")));
        Assert.Throws<ArgumentNullException>(() => builder.Write((_, _) => Task.FromResult(""), null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.ReadExecutionOrder((MigrationExecutionOrder)3));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.OriginTimeout(TimeSpan.Zero));
        Assert.Throws<ArgumentNullException>(() => new MigratorBuilder<string, string, string, int>(null!));
        Migrator<string, string, string, int> reader =
            builder.Read((_, _) => Task.FromResult(""), (_, _) => Task.FromResult("")).Build();
        await Assert.ThrowsAsync<InvalidOperationException>(() => reader.WriteAsync("m", _ada, MigrationStage.Off, 7));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => reader.ReadAsync("m", _ada, (MigrationStage)(-1), ""));
    }

    private async Task<FlagstoneClient> StartAsync()
    {
        FlagstoneClient client = new(new FlagstoneOptions
        {
            TestData = _data,
            LoggerFactory = _logger,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = _launchDarkly.Url,
            EventsDiagnostics = false,
        });
        Assert.True(await client.StartAsync(s_long));
        return client;
    }

    private void SetStage(string stage) => _data.Update(_data.Flag("m").ValueForAll(stage));

    private MigratorBuilder<string, string, string, int> Builder(
        FlagstoneClient client, Func<string, string, bool>? isConsistent = null) =>
        new MigratorBuilder<string, string, string, int>(client)
            .Read((id, _) => Call("read", "old", id), (id, _) => Call("read", "new", id), isConsistent)
            .Write((id, _) => Call("write", "old", id), (id, _) => Call("write", "new", id));

    private async Task<string> Call<T>(string operation, string origin, T input)
    {
        _calls.Enqueue($"{operation} {origin} {input}");
        await Task.Yield();
        return $"{origin} {input}";
    }

    /// <summary>Takes no notice of its token, and ends with the test at the latest.</summary>
    private async Task<string> Never(bool blocks, CancellationToken cancellationToken)
    {
        _ = cancellationToken;
        if (blocks)
        {
            _release.Wait(CancellationToken.None);
        }
        else
        {
            await new TaskCompletionSource().Task;
        }
        return "late";
    }

    private List<JsonElement> Operations(FlagstoneClient client)
    {
        Assert.True(client.FlushAndWait(s_long));
        return [.. _launchDarkly.Events().Where(told => told.GetProperty("kind").GetString() == "migration_op")];
    }

    private static string? Measured(JsonElement operation, string measurement, string member)
    {
        foreach (JsonElement measured in operation.GetProperty("measurements").EnumerateArray())
        {
            if (measured.GetProperty("key").GetString() == measurement)
            {
                return measured.GetProperty(member).GetRawText();
            }
        }
        return null;
    }

    private static string Word(MigrationOrigin origin) => origin == MigrationOrigin.Old ? "old" : "new";
}
