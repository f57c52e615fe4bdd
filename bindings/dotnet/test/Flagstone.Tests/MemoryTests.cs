// Nothing is allocated where nothing may be, and nothing is left behind. The resident set counts native memory too.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

[Collection(Alone.Name)]
public sealed class MemoryTests(RedisServer server) : IDisposable
{
    private const string Rule = """
        "rules":[{"id":"r","variation":0,"clauses":[{"attribute":"key","op":"in","values":["u"]}]}]
        """;

    private readonly TestEnvironment _environment = new(server);
    private readonly Context _context = Context.Builder("u").Set("plan", "p").Build();

    public void Dispose()
    {
        _environment.Dispose();
        _context.Dispose();
    }

    [Theory]
    [InlineData(CacheResidency.All)]
    [InlineData(CacheResidency.Lazy)]
    public async Task Scalar_evaluation_allocates_nothing(CacheResidency residency)
    {
        FlagstoneClient client = await StartAsync(residency);
        Flag<bool> flag = client.BoolFlag("a");
        Flag<int> number = client.IntFlag("n", 0);
        Flag<double> fraction = client.DoubleFlag("n", 0);
        string longKey = new('k', 200);
        string longerKey = new('k', 2000);
        Context? none = null;
        AllocatesNothing(() => client.BoolVariation("a", _context));
        AllocatesNothing(() => client.BoolVariation("a"u8, _context));
        AllocatesNothing(() => client.IntVariation("n", _context, 0));
        AllocatesNothing(() => client.IntVariation("n"u8, _context, 0));
        AllocatesNothing(() => client.DoubleVariation("n", _context, 0));
        AllocatesNothing(() => client.DoubleVariation("n"u8, _context, 0));
        AllocatesNothing(() => flag.Value(_context));
        AllocatesNothing(() => number.Value(_context));
        AllocatesNothing(() => fraction.Value(_context));
        AllocatesNothing(() => client.BoolVariation(longKey, _context));
        AllocatesNothing(() => client.DoubleVariation(longerKey, _context, 0));
        AllocatesNothing(() => client.BoolVariation("a", none));
        AllocatesNothing(() => client.BoolVariationDetail("a", _context));
        AllocatesNothing(() => client.State);
        AllocatesNothing(() => client.LongVariation("n", _context, 0));
        AllocatesNothing(() => client.StringVariation("text", _context, ""));
        AllocatesNothing(() => client.StringVariationDetail("rule", _context, ""));
        AllocatesNothing(() => client.JsonVariation("json", _context, default));
        Assert.True(Allocated(() => client.StringVariation("long", _context, ""), 100) > 0, "the measurement can see something");
    }

    [Fact]
    public async Task Evaluation_allocates_nothing_for_its_events()
    {
        using LaunchDarkly launchDarkly = new();
        FlagstoneClient client = await StartAsync(CacheResidency.All, options =>
        {
            options.SdkKey = LaunchDarkly.SdkKey;
            options.EndpointsRelay = launchDarkly.Url;
        });
        Assert.NotNull(client.GetStatus().Events);
        string longText = new('x', 2000);
        JsonElement json = JsonSerializer.Deserialize<JsonElement>("""{"a":[1,"å",null,2.5],"b":{}}""");
        Flag<bool> flag = client.BoolFlag("a");
        Flag<string> text = client.StringFlag("text", "default");
        AllocatesNothing(() => client.BoolVariation("a", _context));
        AllocatesNothing(() => client.BoolVariation("missing", _context, true));
        AllocatesNothing(() => client.LongVariation("n", _context, 7));
        AllocatesNothing(() => client.DoubleVariation("n"u8, _context, 0.5));
        AllocatesNothing(() => client.StringVariation("text", _context, "default"));
        AllocatesNothing(() => client.StringVariation("text"u8, _context, "å"));
        AllocatesNothing(() => client.StringVariation("missing", _context, longText));
        AllocatesNothing(() => client.StringVariationDetail("rule", _context, "default"));
        AllocatesNothing(() => client.BoolVariationDetail("a", _context));
        AllocatesNothing(() => client.JsonVariation("json", _context, json));
        AllocatesNothing(() => client.JsonVariationDetail("json", _context, json));
        AllocatesNothing(() => flag.Value(_context));
        AllocatesNothing(() => text.Value(_context));
        AllocatesNothing(() => text.Detail(_context));
        client.FlushAndWait(TimeSpan.FromSeconds(30));
        Assert.Contains(launchDarkly.Events(), told => told.GetProperty("kind").GetString() == "summary");
    }

    [Fact]
    public async Task Evaluation_does_not_know_of_the_meter_that_counts_it()
    {
        FlagstoneClient client = await StartAsync(CacheResidency.All, options =>
        {
            options.MetricsEvaluations = true;
            options.Plugins = [new TelemetryPlugin(new TelemetryOptions { ActivityEvents = false, Tags = [new("test", "memory")] })];
        });
        Assert.False(client.HasHooks, "there is no way from an evaluation to the meter");
        Flag<bool> flag = client.BoolFlag("a");
        AllocatesNothing(() => client.BoolVariation("a", _context));
        AllocatesNothing(() => client.StringVariation("text", _context, ""));
        AllocatesNothing(() => flag.Value(_context));
        using Collected collected = new(("test", "memory"));
        Assert.Contains(collected.Values("feature_flag.evaluations"), counted => counted.Tags["feature_flag.key"] == "a" && counted.Value > 1000);
    }

    [Fact]
    public async Task What_is_told_allocates_nothing_and_leaves_nothing_behind()
    {
        using LaunchDarkly launchDarkly = new();
        FlagstoneClient client = await StartAsync(CacheResidency.All, options =>
        {
            options.SdkKey = LaunchDarkly.SdkKey;
            options.EndpointsRelay = launchDarkly.Url;
            // Most of it is dropped: what counts here is the way into the library.
            options.EventsCapacity = 10;
        });
        JsonElement json = JsonSerializer.Deserialize<JsonElement>("""{"a":[1,"å",null,2.5],"b":{}}""");
        AllocatesNothing(() => Tell(""));
        string longText = new('x', 2000);
        LeavesNothing(60_000, _ => Tell(longText));

        int Tell(string name)
        {
            client.Identify(_context);
            client.Track(name, _context);
            client.Track("both", _context, json, 1);
            client.Track("refused", _context, json, double.NaN);
            return 0;
        }
    }

    [Fact]
    public void A_context_of_five_attributes_allocates_little()
    {
        // The netstandard2.0 build needs an array for the attributes.
        string target = typeof(Context).Assembly.GetCustomAttribute<TargetFrameworkAttribute>()!.FrameworkName;
        long most = target.StartsWith(".NETStandard", StringComparison.Ordinal) ? 232 : 200;
        long allocated = long.MaxValue;
        for (int pass = 0; pass < 30 && allocated > most; pass++)
        {
            allocated = Allocated(() => Make().Dispose(), 5000) / 5000;
        }
        Assert.True(allocated <= most, $"{allocated} bytes");

        static Context Make() => Context.Builder("ada").Set("email", "ada@northwind.example").Set("country", "se")
            .Set("plan", "team").Set("age", 37).Set("beta", true).Build();
    }

    [Fact]
    public void Contexts_that_nobody_disposes_of_are_given_back()
    {
        LeavesNothing(30_000, number =>
        {
            Context.Builder($"user-{number}").Set("plan", "p").Set("email", "x@northwind.example").Build();
            Context used = Context.New("u");
            used.Dispose();
            _ = used.FullyQualifiedKey;
            if (number % 5000 == 0)
            {
                GC.WaitForPendingFinalizers();
            }
        });
    }

    [Fact]
    public async Task Evaluations_leave_nothing_behind()
    {
        FlagstoneClient client = await StartAsync(CacheResidency.All);
        Flag<bool> flag = client.BoolFlag("a");
        Flag<string> text = client.StringFlag("text", "");
        LeavesNothing(60_000, _ =>
        {
            client.BoolVariation("a", _context);
            client.DoubleVariation("n"u8, _context, 0);
            client.StringVariation("text", _context, "");
            client.JsonVariation("json", _context, default);
            client.StringVariationDetail("rule", _context, "");
            client.VariationMany(["a", "text"], _context);
            client.BoolVariation("a", null);
            flag.Value(_context);
            text.Detail(_context);
        });
    }

    [Fact]
    public async Task All_flags_statuses_and_hashes_leave_nothing_behind()
    {
        _environment.Write(Flags.Bool("a", 1, true), Flags.Value("text", 1, $"\"{new string('x', 10_000)}\""));
        FlagstoneClient client = await _environment.StartAsync(options =>
        {
            options.SdkKey = "sdk-key";
            options.EventsEnabled = false;
        });
        LeavesNothing(4000, _ =>
        {
            AllFlagsState state = client.AllFlagsState(_context, AllFlagsOptions.WithReasons);
            Assert.True(state.Valid && state.GetValue("a") is not null);
            client.SecureModeHash(_context);
            Assert.True(client.StoreStatus.Available);
        });
    }

    [Fact]
    public async Task Test_data_leave_nothing_behind()
    {
        string text = new('x', 50_000);
        using TestData data = new();
        await using FlagstoneClient client = new(new FlagstoneOptions { TestData = data });
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        LeavesNothing(400, round =>
        {
            data.Update(data.Flag("f").ValueForAll($"{round} {text}"));
            data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.InvalidData, null, text);
            Assert.Equal(text, client.DataSourceStatus!.LastError!.Message);
            using TestData other = new();
            other.Update(other.Flag("f").ValueForAll(text));
        });
    }

    [Fact]
    public async Task Results_do_not_keep_old_versions_of_flags()
    {
        FlagstoneClient client = await StartAsync(CacheResidency.All);
        Flag<string> flag = client.StringFlag("large", "");
        string text = new('x', 200_000);
        int version = 0;
        LeavesNothing(100, _ =>
        {
            _environment.Write(Flags.Value("large", ++version, $"\"{version} {text}\""));
            string start = $"{version} ";
            Assert.True(SpinWait.SpinUntil(
                () => client.StringVariation("large", _context, "").StartsWith(start, StringComparison.Ordinal),
                TimeSpan.FromSeconds(30)));
            // Each of these borrows from the flag's data for a moment.
            client.StringVariation("large"u8, _context, "");
            client.StringVariationDetail("large", _context, "");
            client.StringVariationDetail("large"u8, _context, "");
            client.JsonVariation("large", _context, default);
            client.BoolVariationDetail("large", _context);
            client.VariationMany(["large", "large"], _context);
            flag.Value(_context);
            flag.Detail(_context);
        });
    }

    [Fact]
    public async Task Contexts_flags_statuses_and_errors_leave_nothing_behind()
    {
        FlagstoneClient client = await StartAsync(CacheResidency.All);
        LeavesNothing(30_000, number =>
        {
            using Context context = Context.New($"user-{number}");
            // This one is left to its finalizer.
            Context built = Context.Builder($"user-{number}").Set("plan", "p").Private("plan").Build();
            client.BoolVariation("a", context);
            client.BoolVariation("a", built);
            _ = built.ToJsonString();
            client.BoolFlag("a").Value(context);
            client.GetStatus();
            Assert.Throws<ArgumentException>(() => Context.New(""));
        });
    }

    [Fact]
    public async Task Hooks_migrations_listeners_and_stores_leave_nothing_behind()
    {
        using TestData data = new();
        data.SetSegment("""{"key":"vip","version":1,"unbounded":true,"generation":1,"salt":"s"}""");
        data.SetFlag(Flags.With(
            "f", 1, """ "rules":[{"variation":0,"clauses":[{"attribute":"","op":"segmentMatch","values":["vip"]}]}] """, "\"live\"").Json);
        using SameStore store = new();
        await using FlagstoneClient client = new(new FlagstoneOptions
        {
            TestData = data,
            Hooks = [new RecordingHook("h", new ConcurrentQueue<string>()) { IsSilent = true }],
            BigSegmentStore = store,
            BigSegmentsCacheSize = 1,
        });
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        LeavesNothing(2000, number =>
        {
            using Context context = Context.New($"user-{number}");
            client.StringVariation("f", context, "");
            (_, MigrationTracker tracker) = client.MigrationVariation("f", _context, MigrationStage.Off);
            tracker.SetOperation(MigrationOperation.Read);
            client.TrackMigration(tracker);
            client.OnFlagValueChanged("f", _context, _ => { }).Dispose();
            client.GetBigSegmentStoreStatus();
        });
        LeavesNothing(100, _ =>
        {
            using FlagstoneClient other = new(new FlagstoneOptions { TestData = data, BigSegmentStore = new SameStore() });
        });
    }

    [Fact]
    public void Clients_leave_nothing_behind()
    {
        _environment.Write(Flags.Bool("a", 1, true));
        LeavesNothing(60, _ => RunAsync().GetAwaiter().GetResult());

        async Task RunAsync()
        {
            await using FlagstoneClient client = new(_environment.Options());
            Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
            Assert.True(client.BoolVariation("a", _context));
        }
    }

    /// <summary>Knows the same of everybody.</summary>
    private sealed class SameStore : IBigSegmentStore
    {
        public Task<BigSegmentStoreMetadata?> GetMetadataAsync(CancellationToken cancellationToken) =>
            Task.FromResult<BigSegmentStoreMetadata?>(new(DateTimeOffset.UtcNow));

        public Task<IReadOnlyDictionary<string, bool>?> GetMembershipAsync(
            string contextHash, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyDictionary<string, bool>?>(new Dictionary<string, bool> { ["vip.g1"] = true });

        public void Dispose()
        {
        }
    }

    private async Task<FlagstoneClient> StartAsync(CacheResidency residency, Action<FlagstoneOptions>? change = null)
    {
        _environment.Write(
            Flags.Bool("a", 1, true), Flags.Value("n", 1, "1.5"), Flags.Value("text", 1, $"\"{new string('x', 100)}\""),
            Flags.Value("long", 1, $"\"{new string('x', 1000)}\""), Flags.Value("json", 1, """{"a":[1,2,3]}"""),
            Flags.With("rule", 1, Rule, "\"x\""));
        return await _environment.StartAsync(options =>
        {
            options.CacheResidency = residency;
            change?.Invoke(options);
        });
    }

    private static void AllocatesNothing<T>(Func<T> action, [CallerArgumentExpression(nameof(action))] string what = "")
    {
        // Until the runtime has compiled it for good, which takes its time on a busy machine, and a lazily read flag is there.
        Allocated(action, 20_000);
        long allocated = Allocated(action, 10_000);
        for (int pass = 0; pass < 30 && allocated != 0; pass++)
        {
            Thread.Sleep(100);
            Allocated(action, 20_000);
            allocated = Allocated(action, 10_000);
        }
        Assert.True(allocated == 0, $"{what} allocates {allocated / 10_000.0} bytes");
    }

    private static long Allocated(Action action, int rounds) => Allocated(
        () =>
        {
            action();
            return 0;
        },
        rounds);

    private static long Allocated<T>(Func<T> action, int rounds)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < rounds; round++)
        {
            action();
        }
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>
    /// Compares the resident set after a warm-up with that after twice as much of the same work: what leaks grows with the work,
    /// what the runtime keeps for itself does not: the least of three measurements counts. Twenty times as much in
    /// <c>make soak</c>.
    /// </summary>
    private static void LeavesNothing(int rounds, Action<int> action)
    {
        rounds *= Environment.GetEnvironmentVariable("FLAGSTONE_TESTS") == "soak" ? 20 : 1;
        Repeat(rounds / 2, action);
        long growth = long.MaxValue;
        for (int pass = 0; pass < 3 && growth >= 3 << 20; pass++)
        {
            long before = Resident();
            Repeat(rounds, action);
            growth = Math.Min(growth, Resident() - before);
        }
        Assert.True(growth < 3 << 20, $"the resident set grew by {growth} bytes in {rounds} rounds");
    }

    private static void Repeat(int rounds, Action<int> action)
    {
        for (int round = 0; round < rounds; round++)
        {
            action(round);
        }
    }

    private static long Resident()
    {
        for (int pass = 0; pass < 3; pass++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }
}
