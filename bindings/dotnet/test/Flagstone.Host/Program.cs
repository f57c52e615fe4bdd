// A small program that tests run as a process of its own: for what can only be seen once per process (loading the library, the
// end of the process). The same source is compiled ahead of time, and built against the package.
using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading;
using System.Threading.Tasks;
using Flagstone;

if (args is ["version"])
{
    try
    {
        Console.WriteLine(FlagstoneLibrary.Version);
        return 0;
    }
    catch (FlagstoneLibraryException error)
    {
        // The exception must come again, and an ordinary call must give the same one.
        try
        {
            using Context context = Context.New("u");
        }
        catch (FlagstoneLibraryException again) when (again.Message == error.Message)
        {
            Console.WriteLine($"{error.Message}|{error.LibraryPath}|{error.FoundAbi}|{error.NeededAbi}|{error.StatusCode}");
        }
        return 1;
    }
}

FlagstoneClient client = new(new FlagstoneOptions { RedisUrl = args[1], RedisPrefix = args[2] });
int changes = 0;
client.FlagChanged += (_, _) => Interlocked.Increment(ref changes);
if (!await client.StartAsync(TimeSpan.FromSeconds(30)))
{
    Console.WriteLine("not ready");
    return 1;
}
using Context ada = Context.Builder("ada").Set("plan", "team").Build();
Flag<bool> flag = client.BoolFlag("yes");
switch (args[0])
{
    case "evaluate":
        JsonElement json = client.JsonVariation("json", ada, default);
        EvaluationDetail<string> text = client.StringVariationDetail("text", ada, "");
        Console.WriteLine(
            $"{client.BoolVariation("yes", ada)} {flag.Value(ada)} {client.IntVariation("int"u8, ada, 0)} {text.Value} "
            + $"{text.Reason.ToJsonString()} {json.GetRawText()} {client.GetStatus().FlagCount} {client.State}");
        Console.WriteLine($"{client.AllFlagsState(ada).GetValue("json")} {client.StoreStatus.Available}");
        // By code that the compiler makes, as reflection does not survive.
        string written = JsonSerializer.Serialize(ada, HostJson.Default.Context);
        AllFlagsState state = client.AllFlagsState(ada);
        Console.WriteLine(
            $"{JsonSerializer.Serialize(text.Reason, HostJson.Default.EvaluationReason)} {written} "
            + $"{JsonSerializer.Deserialize(written, HostJson.Default.Context)!.Equals(ada)} "
            + $"{JsonSerializer.Serialize(state, HostJson.Default.AllFlagsState) == state.ToJson()}");
        await client.DisposeAsync();
        await TestDataAsync(ada);
        await CallbacksAsync(ada);
        return 0;
    case "end":
        // Everything is left as it is while threads evaluate: the process must end at once and quietly.
        for (int number = 0; number < 4; number++)
        {
            new Thread(() =>
            {
                while (flag.Value(ada) || client.BoolVariation("yes", Context.New("u")))
                {
                    Thread.Sleep(args.Length);
                }
            })
            { IsBackground = true }.Start();
        }
        Console.WriteLine(flag.Value(ada));
        return 0;
    default:
        return 2;
}

// Options that are lists and maps, the builder, statuses and their notifications.
static async Task TestDataAsync(Context ada)
{
    using TestData data = new();
    await using FlagstoneClient client = new(new FlagstoneOptions
    {
        TestData = data,
        SdkKey = "sdk-key",
        EventsEnabled = false,
        FilePaths = ["one.json", "two.json"],
        HttpHeaders = new Dictionary<string, string> { ["X-Team"] = "red" },
    });
    TaskCompletionSource<StatusChangedEventArgs> told = new();
    client.StatusChanged += (_, change) => _ = change.State == DataSourceState.Interrupted && told.TrySetResult(change);
    await client.StartAsync(TimeSpan.FromSeconds(30));
    data.Update(data.Flag("plan").Variations("none", "some").FallthroughVariation(0).IfMatch("plan", "team").ThenReturn(1));
    data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.ErrorResponse, 503, "not now");
    StatusChangedEventArgs change = await told.Task.WaitAsync(TimeSpan.FromSeconds(30));
    Console.WriteLine(
        $"{client.StringVariation("plan", ada, "")} {change.DataSource!.LastError!.HttpStatus} {client.DataSourceStatus!.State} "
        + $"{client.AllFlagsState(ada, AllFlagsOptions.WithReasons).Valid} {client.SecureModeHash(ada).Length}");
}

// What the library and the client call back: a big-segment store, hooks, listeners; and a migration, which is full of generics.
static async Task CallbacksAsync(Context ada)
{
    using TestData data = new();
    data.SetSegment("""{"key":"vip","version":1,"unbounded":true,"generation":1,"salt":"s"}""");
    data.SetFlag("""
        {"key":"vip","version":1,"on":true,"offVariation":0,"fallthrough":{"variation":0},"variations":[false,true],"salt":"s",
        "rules":[{"variation":1,"clauses":[{"attribute":"","op":"segmentMatch","values":["vip"]}]}]}
        """);
    data.Update(data.Flag("stage").ValueForAll("live"));
    CountingHook hook = new();
    await using FlagstoneClient client = new(
        new FlagstoneOptions { TestData = data, Hooks = [hook], BigSegmentStore = new EverybodysStore() });
    await client.StartAsync(TimeSpan.FromSeconds(30));
    EvaluationDetail<bool> vip = client.BoolVariationDetail("vip", ada);
    Migrator<int, string, int, string> migrator = new MigratorBuilder<int, string, int, string>(client)
        .Read((number, _) => Task.FromResult(number), (number, _) => Task.FromResult(number + 1), (one, other) => one == other)
        .Build();
    MigrationResult<int> read = await migrator.ReadAsync("stage", ada, MigrationStage.Off, 41);
    TaskCompletionSource<FlagValueChange> heard = new();
    using IDisposable listener = client.OnFlagValueChanged("stage", ada, change => heard.TrySetResult(change));
    data.Update(data.Flag("stage").ValueForAll("complete"));
    FlagValueChange change = await heard.Task.WaitAsync(TimeSpan.FromSeconds(30));
    Console.WriteLine(
        $"{vip.Value} {vip.Reason.BigSegmentsStatus} {client.GetBigSegmentStoreStatus().IsStale} {hook.Count} "
        + $"{read.Origin} {read.Value} {change.OldValue} {change.NewValue}");
}

internal sealed class CountingHook() : Hook("counting")
{
    internal int Count { get; private set; }

    public override ImmutableDictionary<string, object?> AfterEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data, EvaluationDetail<JsonElement> detail)
    {
        Count++;
        return data;
    }
}

internal sealed class EverybodysStore : IBigSegmentStore
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

[JsonSerializable(typeof(Context))]
[JsonSerializable(typeof(EvaluationReason))]
[JsonSerializable(typeof(AllFlagsState))]
internal sealed partial class HostJson : JsonSerializerContext;
