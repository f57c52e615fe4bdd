// One outage of Redis from its beginning to its end, with threads that ask all the time; see OutageTests.cs.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

/// <summary>How a server goes away.</summary>
public enum Outage
{
    /// <summary>Connections break, and new ones are refused.</summary>
    Killed,

    /// <summary>Connections stay open, new ones are accepted, and nobody answers.</summary>
    Stopped,
}

/// <summary>An outage from its beginning to its end.</summary>
internal sealed class OutageScenario(Outage outage, CacheFreshness freshness) : IDisposable
{
    private const int CommandTimeoutMs = 2000;

    internal static readonly TimeSpan LongestCall = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan s_span = TimeSpan.FromSeconds(3);

    private readonly RedisServer _server = new();
    private readonly Context _ada = Context.New("ada");
    private readonly ConcurrentQueue<string> _wrong = new();
    private volatile bool _over;

    public void Dispose()
    {
        _over = true;
        _server.Dispose();
        _ada.Dispose();
    }

    /// <summary>Runs it and tells how long the longest call took during the outage.</summary>
    internal async Task<TimeSpan> RunAsync(CacheResidency residency)
    {
        using OutageScenario end = this;
        using TestEnvironment environment = new(_server);
        Write(environment, 1);
        FlagstoneClient client = await environment.StartAsync(options =>
        {
            options.CacheResidency = residency;
            options.CacheFreshness = freshness;
            options.CacheTtlMs = 150;
            options.RedisCommandTimeoutMs = CommandTimeoutMs;
            options.RedisPingMs = 200;
        });
        List<Question> questions = Questions(client);
        foreach (Question question in questions)
        {
            Assert.True(
                await Eventually.IsTrueAsync(() => question.Ask() == question.Before), $"{question.Name}: {question.Ask()}");
        }

        Begin();
        TimeSpan longest = await AskUnderOutageAsync(client, questions);
        Assert.All(Details(client), detail => Assert.True(detail.IsStale));
        // The watch may be the first to notice; the data connection finds out by itself.
        Assert.True(await Eventually.IsTrueAsync(() => !client.GetStatus().Store.Available));
        FlagstoneStatus status = client.GetStatus();
        Assert.NotNull(status.Store.StaleSince);
        Assert.NotNull(status.LastError);

        End(environment);
        Assert.True(await Eventually.IsTrueAsync(() => client.State == DataSourceState.Valid), client.State.ToString());
        foreach (Question question in questions)
        {
            string expected = freshness == CacheFreshness.Forever ? question.Before : question.After;
            Assert.True(
                await Eventually.IsTrueAsync(() => question.Ask() == expected), $"{question.Name}: {question.Ask()}");
        }
        Assert.True(await Eventually.IsTrueAsync(() => Details(client).All(detail => !detail.IsStale)));
        Assert.True(await Eventually.IsTrueAsync(
            () => client.State == DataSourceState.Valid && client.GetStatus().Store.Available));
        return longest;
    }

    private void Begin()
    {
        if (outage == Outage.Killed)
        {
            _server.Kill();
        }
        else
        {
            _server.Stop();
        }
    }

    private void End(TestEnvironment environment)
    {
        if (outage == Outage.Killed)
        {
            _server.Start();
        }
        else
        {
            _server.Continue();
        }
        Write(environment, 2);
    }

    /// <summary>Several threads ask everything, from before the client notices until well after.</summary>
    private async Task<TimeSpan> AskUnderOutageAsync(FlagstoneClient client, List<Question> questions)
    {
        ConcurrentQueue<(string Way, TimeSpan Longest)> measured = new();
        int laps = 0;
        List<Thread> threads = [.. questions.GroupBy(question => question.Way).Select(way => new Thread(() =>
        {
            using CallTimer timer = new();
            while (!_over)
            {
                foreach (Question question in way)
                {
                    string answer = timer.Time(question.Ask);
                    if (answer != question.Before)
                    {
                        _wrong.Enqueue($"{question.Name}: {answer} instead of {question.Before}");
                    }
                }
                Interlocked.Increment(ref laps);
                Thread.Sleep(5);
            }
            measured.Enqueue((way.Key, timer.Longest));
        }))];
        Stopwatch watch = Stopwatch.StartNew();
        threads.ForEach(thread => thread.Start());
        bool noticed = await Eventually.IsTrueAsync(() => client.State == DataSourceState.Interrupted);
        TimeSpan rest = s_span - watch.Elapsed;
        await Task.Delay(rest > TimeSpan.FromSeconds(0.5) ? rest : TimeSpan.FromSeconds(0.5));
        bool enough = await Eventually.IsTrueAsync(() => Volatile.Read(ref laps) >= 150);
        _over = true;
        Assert.All(threads, thread => Assert.True(thread.Join(TimeSpan.FromSeconds(30))));
        Assert.True(noticed, "the outage was not noticed");
        Assert.True(enough, $"everything was asked {laps} times only");
        Assert.Empty(_wrong);
        Assert.Equal(3, measured.Count);
        return measured.Max(way => way.Longest);
    }

    /// <summary>Flags of every type, one that depends on another and one on a segment. None serves its default.</summary>
    private static void Write(TestEnvironment environment, int version)
    {
        const string Prerequisite = """ "prerequisites":[{"key":"bool","variation":0}] """;
        const string Member = """
            "fallthrough":{"variation":1},
            "rules":[{"variation":0,"clauses":[{"attribute":"","op":"segmentMatch","values":["ones"]}]}]
            """;
        string number = version.ToString(CultureInfo.InvariantCulture);
        Dictionary<string, string> flags = new[]
        {
            Flags.Bool("bool", version, true),
            Flags.Value("int", version, number),
            Flags.Value("double", version, number + ".5"),
            Flags.Value("text", version, $"\"text {number}\""),
            Flags.Value("json", version, $"[{number}]"),
            Flags.With("dependent", version, Prerequisite.Trim(), $"\"dependent {number}\""),
            Flags.With("member", version, Member, $"\"member {number}\"", "\"no member\""),
        }.ToDictionary(flag => flag.Item1, flag => flag.Item2);
        Dictionary<string, string> segments = new()
        {
            ["ones"] = $$"""{"key":"ones","version":{{number}},"included":["ada"],"excluded":[],"rules":[],"salt":"s"}""",
        };
        environment.Server.Write(environment.Prefix, flags, segments);
    }

    private EvaluationDetail<JsonElement>[] Details(FlagstoneClient client) =>
        [.. Names.Select(key => client.JsonVariationDetail(key, _ada, default))];

    private static string[] Names => ["bool", "int", "double", "text", "json", "dependent", "member"];

    private List<Question> Questions(FlagstoneClient client)
    {
        Flag<bool> boolFlag = client.BoolFlag("bool");
        Flag<int> intFlag = client.IntFlag("int", 0);
        Flag<double> doubleFlag = client.DoubleFlag("double", 0);
        Flag<JsonElement> jsonFlag = client.JsonFlag("json", default(JsonElement));
        List<Question> questions =
        [
            new("by key", "bool", () => Text(client.BoolVariation("bool", _ada)), "True", "True"),
            new("by key", "int", () => Text(client.IntVariation("int", _ada, 0)), "1", "2"),
            new("by key", "double", () => Text(client.DoubleVariation("double", _ada, 0)), "1.5", "2.5"),
            new("by key", "json", () => client.JsonVariation("json", _ada, default).ToString(), "[1]", "[2]"),
            new("by key", "bytes", () => Text(client.BoolVariation("bool"u8, _ada)), "True", "True"),
            new("prepared", "bool", () => Text(boolFlag.Value(_ada)), "True", "True"),
            new("prepared", "int", () => Text(intFlag.Value(_ada)), "1", "2"),
            new("prepared", "double", () => Text(doubleFlag.Value(_ada)), "1.5", "2.5"),
            new("prepared", "json", () => jsonFlag.Value(_ada).ToString(), "[1]", "[2]"),
            Detail("bool", () => Text(client.BoolVariationDetail("bool", _ada)), "True Fallthrough", "True Fallthrough"),
            Detail("int", () => Text(client.IntVariationDetail("int", _ada, 0)), "1 Fallthrough", "2 Fallthrough"),
        ];
        foreach (string key in Names[^4..].Except(["json"]))
        {
            Flag<string> flag = client.StringFlag(key, "default");
            string reason = key == "member" ? "RuleMatch" : "Fallthrough";
            questions.Add(new("by key", key, () => client.StringVariation(key, _ada, "default"), $"{key} 1", $"{key} 2"));
            questions.Add(new("prepared", key, () => flag.Value(_ada), $"{key} 1", $"{key} 2"));
            questions.Add(Detail(
                key, () => Text(client.StringVariationDetail(key, _ada, "default")), $"{key} 1 {reason}", $"{key} 2 {reason}"));
        }
        return questions;
    }

    private static Question Detail(string key, Func<string> ask, string before, string after) =>
        new("with detail", key, ask, before, after);

    private static string Text<T>(T value)
        where T : IConvertible => value.ToString(CultureInfo.InvariantCulture);

    private static string Text<T>(EvaluationDetail<T> detail) => $"{detail.Value} {detail.Reason.Kind}";
}

/// <summary>A call, its result in the first version of the data, and in the second.</summary>
internal sealed record Question(string Way, string Key, Func<string> Ask, string Before, string After)
{
    internal string Name => $"{Key} {Way}";
}
