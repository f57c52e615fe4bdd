// What the provider tells of changes, and when.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using Flagstone.OpenFeature;
using Flagstone.Tests.Support;
using OpenFeature;
using OpenFeature.Constant;
using OpenFeature.Model;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed partial class OpenFeatureTests
{
    [Fact]
    public async Task Ready_is_told_once_and_changes_are_told_by_key()
    {
        Listen();
        FeatureClient client = await ProvidedAsync();
        Assert.Equal(ProviderStatus.Ready, client.ProviderStatus);
        _data.SetFlag(Flags.Bool("yes", 5, false).Json);
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.FlagsChanged?.SequenceEqual(["yes"]) == true)));
        await FenceAsync("fence");
        Assert.Single(_heard, heard => heard.Type == ProviderEventTypes.ProviderReady);
        Assert.DoesNotContain(_heard, heard => heard.Type is ProviderEventTypes.ProviderStale or ProviderEventTypes.ProviderError);
        Assert.False(await client.GetBooleanValueAsync("yes", true, _ada));
    }

    [Fact]
    public async Task Flags_that_change_while_news_is_under_way_are_told_together()
    {
        using ManualResetEventSlim gate = new();
        Hear(ProviderEventTypes.ProviderConfigurationChanged, told =>
        {
            _heard.Enqueue(told);
            Assert.True(gate.Wait(s_long));
        });
        await ProvidedAsync();
        string[] keys = [.. Enumerable.Range(0, 50).Select(number => string.Create(CultureInfo.InvariantCulture, $"new-{number:D2}"))];
        foreach (string key in keys)
        {
            _data.SetFlag(Flags.Bool(key, 1, true).Json);
        }
        // The client has told of all of them before the first is taken.
        Assert.True(await Eventually.IsTrueAsync(() => !_heard.IsEmpty));
        FlagstoneProvider provider = _providers.Single();
        TaskCompletionSource last = new(TaskCreationOptions.RunContinuationsAsynchronously);
        provider.Client.FlagChanged += (_, change) =>
        {
            if (change.Key == "last")
            {
                last.TrySetResult();
            }
        };
        _data.SetFlag(Flags.Bool("last", 1, true).Json);
        await last.Task.WaitAsync(s_long);
        gate.Set();
        Assert.True(await Eventually.IsTrueAsync(() => keys.Append("last").ToHashSet().SetEquals(_heard.SelectMany(heard => heard.FlagsChanged!))));
        Assert.True(_heard.Count < 10, $"{_heard.Count} events");
        Assert.Equal(51, _heard.Sum(heard => heard.FlagsChanged!.Count));
    }

    [Fact]
    public async Task Very_many_flags_that_change_while_nobody_takes_news_hold_nobody_up_and_are_told_once()
    {
        const int Many = 20_000;
        Channel<object> taken = Channel.CreateBounded<object>(1);
        Outbox outbox = new(taken.Writer);
        Stopwatch watch = Stopwatch.StartNew();
        for (int number = 0; number < 2 * Many; number++)
        {
            outbox.Add(new Told(ProviderEventTypes.ProviderConfigurationChanged) { FlagsChanged = [$"{number % Many}"] });
        }
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(3), $"{watch.Elapsed}");
        outbox.Add(new Told(ProviderEventTypes.ProviderStale));
        List<string> keys = [];
        int events = 0;
        while (await taken.Reader.ReadAsync() is Told { Type: ProviderEventTypes.ProviderConfigurationChanged } told)
        {
            Assert.Distinct(told.FlagsChanged!);
            keys.AddRange(told.FlagsChanged!);
            events++;
        }
        Assert.Equal(Many, keys.Distinct().Count());
        // One was in the channel and one under way; the others were put together.
        Assert.InRange(events, 1, 3);
    }

    [Fact]
    public async Task What_waits_when_a_provider_ends_is_not_sent()
    {
        Channel<object> taken = Channel.CreateBounded<object>(1);
        Outbox outbox = new(taken.Writer);
        outbox.Add(new Told(ProviderEventTypes.ProviderReady));
        outbox.Add(new Told(ProviderEventTypes.ProviderStale));
        outbox.Add(new Told(ProviderEventTypes.ProviderError));
        // The first is taken, and at most the second under way: the third waits.
        Assert.True(await taken.Reader.WaitToReadAsync());
        outbox.Close();
        outbox.Add(new Told(ProviderEventTypes.ProviderError));
        ValueTask fence = taken.Writer.WriteAsync("fence");
        List<object> sent = [];
        while (await taken.Reader.ReadAsync() is Told told)
        {
            sent.Add(told.Type);
        }
        await fence;
        Assert.DoesNotContain(ProviderEventTypes.ProviderError, sent);
    }
}
