// What the harness asks of a client, each as one call of the package.
using System.Text.Json;

namespace Flagstone.ContractService;

internal static class Commands
{
    private static readonly object s_nothing = new();
    private static readonly JsonElement s_null = JsonSerializer.SerializeToElement<object?>(null);

    /// <summary>The result of a command, to be written as JSON.</summary>
    internal static async Task<object> RunAsync(FlagstoneClient client, CommandRequest request) => request.Command switch
    {
        "evaluate" => Evaluate(client, Needed(request.Evaluate)),
        "evaluateAll" => EvaluateAll(client, Needed(request.EvaluateAll)),
        "secureModeHash" => new { result = client.SecureModeHash(ContextOf(Needed(request.SecureModeHash).Context)!) },
        "contextBuild" => Output(() => Built(Needed(request.ContextBuild))),
        "contextConvert" => Output(() => Context.FromJson(Needed(request.ContextConvert).Input)),
        "contextComparison" when Needed(request.ContextComparison) is ComparisonRequest pair =>
            new { equals = Built(pair.Context1).Equals(Built(pair.Context2)) },
        "identifyEvent" => Done(() => client.Identify(ContextOf(Needed(request.IdentifyEvent).Context))),
        "customEvent" => Done(() => Track(client, Needed(request.CustomEvent))),
        "flushEvents" => Done(client.Flush),
        "getBigSegmentStoreStatus" => Of(client.GetBigSegmentStoreStatus()),
        "migrationVariation" when Needed(request.MigrationVariation) is VariationRequest variation =>
            Of(client.MigrationVariation(variation.Key, ContextOf(variation.Context), variation.DefaultStage).Stage),
        "migrationOperation" => await OperationAsync(client, Needed(request.MigrationOperation)),
        _ => throw new RefusedException(400, $"{request.Command} is no command"),
    };

    private static object Evaluate(FlagstoneClient client, EvaluateRequest request)
    {
        (string key, Context? context) = (request.FlagKey, ContextOf(request.Context));
        JsonElement given = request.DefaultValue ?? s_null;
        return (request.ValueType, request.Detail == true) switch
        {
            ("bool", false) => Of(client.BoolVariation(key, context, given.GetBoolean())),
            ("bool", true) => Of(client.BoolVariationDetail(key, context, given.GetBoolean())),
            ("int", false) => Of(client.IntVariation(key, context, given.GetInt32())),
            ("int", true) => Of(client.IntVariationDetail(key, context, given.GetInt32())),
            ("double", false) => Of(client.DoubleVariation(key, context, given.GetDouble())),
            ("double", true) => Of(client.DoubleVariationDetail(key, context, given.GetDouble())),
            ("string", false) => Of(client.StringVariation(key, context, given.GetString()!)),
            ("string", true) => Of(client.StringVariationDetail(key, context, given.GetString()!)),
            ("any", false) => Of(client.JsonVariation(key, context, given)),
            ("any", true) => Of(client.JsonVariationDetail(key, context, given)),
            _ => throw new RefusedException(400, $"{request.ValueType} is no type of a value"),
        };
    }

    private static object Of<T>(T value) => new { value };
    private static object Of<T>(EvaluationDetail<T> detail) =>
        new { value = detail.Value, variationIndex = detail.VariationIndex, reason = detail.Reason };
    private static object Of(MigrationStage stage) => new { result = stage.ToString().ToLowerInvariant() };
    private static object Of(BigSegmentStoreStatus status) => new { available = status.Available, stale = status.IsStale };

    private static object EvaluateAll(FlagstoneClient client, EvaluateAllRequest request)
    {
        AllFlagsOptions options = (request.ClientSideOnly == true ? AllFlagsOptions.ClientSideOnly : 0)
            | (request.WithReasons == true ? AllFlagsOptions.WithReasons : 0)
            | (request.DetailsOnlyForTrackedFlags == true ? AllFlagsOptions.DetailsOnlyForTracked : 0);
        return new { state = client.AllFlagsState(ContextOf(request.Context), options) };
    }

    private static object Done(Action action)
    {
        action();
        return s_nothing;
    }

    private static void Track(FlagstoneClient client, CustomEventRequest request)
    {
        (string key, Context? context, JsonElement data) = (request.EventKey, ContextOf(request.Context), request.Data ?? s_null);
        if (request.MetricValue is double metric)
        {
            client.Track(key, context, data, metric);
        }
        else
        {
            client.Track(key, context, data);
        }
    }

    private static async Task<object> OperationAsync(FlagstoneClient client, OperationRequest request)
    {
        Func<string?, CancellationToken, Task<string>> old = (text, token) => Harness.PostAsync(request.OldEndpoint, text, token);
        Func<string?, CancellationToken, Task<string>> @new = (text, token) => Harness.PostAsync(request.NewEndpoint, text, token);
        Migrator<string, string, string?, string?> migrator = new MigratorBuilder<string, string, string?, string?>(client)
            .Read(old, @new, request.TrackConsistency == true ? string.Equals : null)
            .Write(old, @new)
            .ReadExecutionOrder(request.ReadExecutionOrder)
            .TrackLatency(request.TrackLatency == true)
            .TrackErrors(request.TrackErrors == true)
            .Build();
        Context? context = ContextOf(request.Context);
        MigrationResult<string> result = request.Operation == MigrationOperation.Read
            ? await migrator.ReadAsync(request.Key, context, request.DefaultStage, request.Payload)
            : (await migrator.WriteAsync(request.Key, context, request.DefaultStage, request.Payload)).Authoritative;
        return new { result = result.Value ?? result.Exception?.Message };
    }

    private static object Output(Func<Context> make)
    {
        try
        {
            return new { output = make().ToJsonString() };
        }
        catch (ArgumentException error)
        {
            return new { error = error.Message };
        }
    }

    private static Context Built(BuildRequest request) => request.Single is SinglePart single
        ? Built(single)
        : (request.Multi ?? []).Aggregate(Context.MultiBuilder(), (builder, member) => builder.Add(Built(member))).Build();

    private static Context Built(SinglePart single)
    {
        ContextBuilder builder = Context.Builder(single.Key).Private([.. single.Private ?? []]);
        builder = single.Kind is string kind ? builder.Kind(kind) : builder;
        builder = single.Name is string name ? builder.Name(name) : builder;
        builder = single.Anonymous is bool anonymous ? builder.Anonymous(anonymous) : builder;
        foreach ((string attribute, JsonElement value) in single.Custom ?? [])
        {
            builder.Set(attribute, value);
        }
        foreach (AttributePart attribute in single.Attributes ?? [])
        {
            builder.Set(attribute.Name, attribute.Value ?? s_null);
        }
        foreach (PrivatePart hidden in single.PrivateAttributes ?? [])
        {
            _ = hidden.Literal == true ? builder.PrivateNames(hidden.Value) : builder.Private(hidden.Value);
        }
        return builder.Build();
    }

    /// <summary>The context of a request; null without one.</summary>
    private static Context? ContextOf(JsonElement? context) =>
        context is JsonElement given ? Context.FromJson(given.GetRawText()) : null;

    private static T Needed<T>(T? parameters)
        where T : class => parameters ?? throw new RefusedException(400, "the command has no parameters");
}
