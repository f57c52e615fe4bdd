// How what is told is delivered: flush, close, refusals, and what is kept meanwhile.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed partial class AnalyticsTests
{
    [Fact]
    public async Task Flush_begins_to_send_and_comes_back()
    {
        FlagstoneClient client = await StartAsync();
        for (int round = 1; round <= 3; round++)
        {
            client.Track("now", _ada);
            client.Flush();
            int expected = round + 1;
            Assert.True(await Eventually.IsTrueAsync(() => _launchDarkly.Events().Count == expected), $"round {round}");
        }
    }

    [Fact]
    public async Task A_flush_says_whether_all_was_delivered()
    {
        ListLogger logger = new();
        FlagstoneClient client = await StartAsync(options => options.LoggerFactory = logger);
        Assert.True(client.FlushAndWait(s_long));
        Assert.True(await client.FlushAsync(Timeout.InfiniteTimeSpan));
        EventsStatus events = client.GetStatus().Events!;
        Assert.Equal((false, 0, 0), (events.IsOff, events.SentCount, events.LostCount));
        client.Track("a", _ada);
        Assert.Equal(2, client.GetStatus().Events!.WaitingCount);
        Assert.True(await client.FlushAsync(s_long));
        Assert.Equal(2, client.GetStatus().Events!.SentCount);
        _launchDarkly.Kill();
        client.Track("b", _ada);
        Assert.False(client.FlushAndWait(TimeSpan.FromMilliseconds(1)));
        client.Track("c", _ada);
        Assert.False(await client.FlushAndWaitAsync(s_long));
        events = client.GetStatus().Events!;
        Assert.True(events.LostCount > 0, events.ToString());
        Assert.NotNull(events.LastError);
        Assert.True((DateTimeOffset.UtcNow - events.LastErrorTime!.Value).Duration() < TimeSpan.FromMinutes(5));
        Assert.True(await Eventually.IsTrueAsync(() => logger.Has("events cannot be delivered")));
    }

    [Fact]
    public async Task A_wait_for_a_flush_can_be_cancelled_and_ends_with_the_client()
    {
        FlagstoneClient client = new(Options());
        _clients.Add(client);
        // Not started: nothing is sent.
        using CancellationTokenSource stop = new();
        Task<bool> cancelled = client.FlushAsync(stop.Token);
        Assert.False(cancelled.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.FlushAsync(new CancellationToken(canceled: true)));
        Assert.False(client.FlushAndWait(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => client.FlushAndWait(TimeSpan.FromSeconds(-5)));
        Task<bool> pending = client.FlushAsync();
        client.Dispose();
        await pending.WaitAsync(s_long).ContinueWith(
            ended => Assert.False(ended.IsFaulted && ended.Exception.InnerException is TimeoutException), TaskScheduler.Default);
        Assert.Throws<ObjectDisposedException>(() => client.FlushAndWait(s_long));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.FlushAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.FlushAndWaitAsync(s_long));
    }

    [Fact]
    public async Task Flushes_that_nobody_answers_wait_on_one_thread()
    {
        using FlagstoneClient client = new(Options());
        // Not started: nothing is sent.
        using CancellationTokenSource stop = new();
        int before = ThreadsNow();
        Task<bool>[] flushes = [.. Enumerable.Range(0, 300).Select(index => index % 2 == 0
            ? client.FlushAsync(stop.Token)
            : client.FlushAsync(TimeSpan.FromMilliseconds(100)))];
        int meanwhile = ThreadsNow();
        Assert.True(meanwhile - before < 100, $"{before} threads, then {meanwhile}");
        for (int index = 1; index < flushes.Length; index += 2)
        {
            Assert.False(await flushes[index].WaitAsync(s_long));
        }
        await stop.CancelAsync();
        for (int index = 0; index < flushes.Length; index += 2)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flushes[index].WaitAsync(s_long));
        }
        Assert.True(await client.StartAsync(s_long));
        client.Track("after", _ada);
        Assert.True(await client.FlushAsync(s_long));
        Assert.Contains("custom", _launchDarkly.Events().Select(Kind));
    }

    [Fact]
    public async Task Whoever_asks_while_a_flush_is_under_way_has_a_share_in_the_next_one()
    {
        FlagstoneClient client = await StartAsync();
        for (int round = 0; round < 20; round++)
        {
            client.Track("first", _ada);
            Task<bool> first = client.FlushAsync();
            client.Track("second", _ada);
            // In the middle of what waits: who goes on there may block.
            Task<bool> second = first.ContinueWith(
                _ => client.FlushAsync().GetAwaiter().GetResult(),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            Assert.True(await client.FlushAsync().WaitAsync(s_long));
            Assert.Equal((2 * round) + 2, _launchDarkly.Events().Count(line => Kind(line) == "custom"));
            Assert.True(await first.WaitAsync(s_long) && await second.WaitAsync(s_long));
        }
    }

    private static int ThreadsNow()
    {
        using Process own = Process.GetCurrentProcess();
        return own.Threads.Count;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Closing_sends_what_is_queued(bool blocking)
    {
        _data.SetFlag(Flags.Bool("yes", 1, true).Json);
        FlagstoneClient client = await StartAsync();
        Assert.True(client.BoolVariation("yes", _ada));
        client.Track("last", _ada);
        if (blocking)
        {
            client.Dispose();
        }
        else
        {
            await client.DisposeAsync();
        }
        Assert.Equal(["index", "custom", "summary"], _launchDarkly.Events().Select(Kind));
        Assert.True(client.BoolVariation("yes", _ada));
        client.Dispose();
        Assert.Equal(3, _launchDarkly.Events().Count);
    }

    [Fact]
    public async Task A_server_that_refuses_for_good_is_told_nothing_more()
    {
        FlagstoneClient client = await StartAsync(options => options.SdkKey = "sdk-of-nobody");
        client.Track("a", _ada);
        Assert.False(client.FlushAndWait(s_long));
        EventsStatus events = client.GetStatus().Events!;
        Assert.True(events.IsOff, events.ToString());
        Assert.Contains("401", events.LastError, StringComparison.Ordinal);
        Assert.False(await client.FlushAsync());
    }

    [Fact]
    public async Task What_cannot_be_delivered_is_kept_in_a_folder_and_sent_by_the_next_client()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"flagstone-spool-{Guid.NewGuid():N}");
        try
        {
            _launchDarkly.Kill();
            await using (FlagstoneClient client = await StartAsync(options => options.EventsSpool = folder))
            {
                Assert.Equal((0, 0), (client.GetStatus().Events!.SpoolPayloadCount, client.GetStatus().Events!.SpoolCorruptCount));
                client.Track("kept", _ada);
                Assert.False(await client.FlushAsync(s_long));
                EventsStatus events = client.GetStatus().Events!;
                Assert.Equal((2, 0, 1), (events.SpooledCount, events.LostCount, events.SpoolPayloadCount));
            }
            _launchDarkly.Start();
            await StartAsync(options => options.EventsSpool = folder);
            Assert.True(await Eventually.IsTrueAsync(() => _launchDarkly.Events().Count == 2));
            Assert.Equal("kept", _launchDarkly.Events()[1].GetProperty("key").GetString());
        }
        finally
        {
            _clients.ForEach(client => client.Dispose());
            Directory.Delete(folder, recursive: true);
        }
    }
}
