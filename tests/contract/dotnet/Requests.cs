// What the harness sends, as it calls it. A property without a default must be there; null is the same as none.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone.ContractService;

internal sealed record OpenRequest(ClientConfiguration Configuration, string? Tag = null);

internal sealed record ClientConfiguration(
    string Credential,
    int? StartWaitTimeMs = null,
    EndpointsPart? ServiceEndpoints = null,
    SourcePart? Streaming = null,
    SourcePart? Polling = null,
    EventsPart? Events = null,
    TagsPart? Tags = null,
    WrapperPart? Wrapper = null,
    ProxyPart? Proxy = null,
    TlsPart? Tls = null,
    PersistencePart? PersistentDataStore = null,
    HooksPart? Hooks = null,
    BigSegmentsPart? BigSegments = null);

internal sealed record EndpointsPart(string? Streaming = null, string? Polling = null, string? Events = null);

internal sealed record SourcePart(
    string? BaseUri = null, int? InitialRetryDelayMs = null, int? PollIntervalMs = null, string? Filter = null);

internal sealed record EventsPart(
    string? BaseUri = null, int? Capacity = null, int? FlushIntervalMs = null, bool? EnableDiagnostics = null, bool? EnableGzip = null,
    bool? AllAttributesPrivate = null, List<string>? GlobalPrivateAttributes = null, bool? OmitAnonymousContexts = null);

internal sealed record TagsPart(string? ApplicationId = null, string? ApplicationVersion = null);
internal sealed record WrapperPart(string? Name = null, string? Version = null);
internal sealed record ProxyPart(string? HttpProxy = null);

internal sealed record TlsPart(
    bool? SkipVerifyPeer = null, [property: JsonPropertyName("customCAFile")] string? CustomCaFile = null);

internal sealed record PersistencePart(StorePart Store, CachePart Cache);
internal sealed record StorePart(string Type, string Dsn, string? Prefix = null);
internal sealed record CachePart(string Mode, int? Ttl = null);
internal sealed record HooksPart(List<HookPart> Hooks);

internal sealed record HookPart(
    string Name, Uri CallbackUri,
    Dictionary<string, Dictionary<string, JsonElement>?>? Data = null, Dictionary<string, string?>? Errors = null);

internal sealed record BigSegmentsPart(
    string CallbackUri,
    int? UserCacheSize = null, int? UserCacheTimeMs = null, int? StatusPollIntervalMs = null, int? StaleAfterMs = null);

internal sealed record CommandRequest(
    string Command,
    EvaluateRequest? Evaluate = null,
    EvaluateAllRequest? EvaluateAll = null,
    ContextRequest? IdentifyEvent = null,
    CustomEventRequest? CustomEvent = null,
    ContextRequest? SecureModeHash = null,
    BuildRequest? ContextBuild = null,
    ConvertRequest? ContextConvert = null,
    ComparisonRequest? ContextComparison = null,
    VariationRequest? MigrationVariation = null,
    OperationRequest? MigrationOperation = null);

internal sealed record EvaluateRequest(
    string FlagKey, string ValueType, JsonElement? Context = null, JsonElement? DefaultValue = null, bool? Detail = null);

internal sealed record EvaluateAllRequest(
    JsonElement? Context = null, bool? WithReasons = null, bool? ClientSideOnly = null, bool? DetailsOnlyForTrackedFlags = null);

internal sealed record ContextRequest(JsonElement Context);

internal sealed record CustomEventRequest(
    string EventKey, JsonElement Context, JsonElement? Data = null, double? MetricValue = null);

internal sealed record BuildRequest(SinglePart? Single = null, List<SinglePart>? Multi = null);

internal sealed record SinglePart(
    string Key, string? Kind = null, string? Name = null, bool? Anonymous = null, List<string>? Private = null,
    Dictionary<string, JsonElement>? Custom = null, List<AttributePart>? Attributes = null, List<PrivatePart>? PrivateAttributes = null);

internal sealed record AttributePart(string Name, JsonElement? Value = null);
internal sealed record PrivatePart(string Value, bool? Literal = null);
internal sealed record ConvertRequest(string Input);
internal sealed record ComparisonRequest(BuildRequest Context1, BuildRequest Context2);
internal sealed record VariationRequest(string Key, JsonElement Context, MigrationStage DefaultStage);

internal sealed record OperationRequest(
    string Key, JsonElement Context, MigrationStage DefaultStage, MigrationExecutionOrder ReadExecutionOrder,
    MigrationOperation Operation, Uri OldEndpoint, Uri NewEndpoint, string? Payload = null,
    bool? TrackLatency = null, bool? TrackErrors = null, bool? TrackConsistency = null);
