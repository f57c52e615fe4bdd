// Evaluations as events of the activity in which they happen.
using System;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Flagstone;

/// <summary>
/// Writes an event <c>feature_flag.evaluation</c> for each evaluation on the current <see cref="Activity"/>, if somebody records it.
/// </summary>
/// <remarks>
/// Tags, of OpenTelemetry's semantic conventions 1.44: <c>feature_flag.key</c>, <c>feature_flag.result.variant</c> (the index of the
/// variation), <c>feature_flag.result.reason</c> (<c>stale</c> where the flag is not known to be true), <c>feature_flag.version</c>,
/// <c>feature_flag.set.id</c> (the environment, if a server named it), <c>feature_flag.provider.name</c>, <c>error.type</c>, and
/// <c>feature_flag.context.id</c> if that is wanted.
/// </remarks>
public sealed class EvaluationEventHook : Hook
{
    private const string EventName = "feature_flag.evaluation";
    private const string Provider = "flagstone";

    private readonly bool _contextId;
    private WeakReference<IFlagstoneClient>? _client;

    /// <summary>Makes one.</summary>
    /// <param name="contextId">Whether events tell the key of the context, which may say who somebody is.</param>
    public EvaluationEventHook(bool contextId = false)
        : base("flagstone.telemetry") => _contextId = contextId;

    /// <summary>Events tell the version of the flag from now on, which the client knows; it is not kept alive.</summary>
    /// <param name="client">The client whose hook this is.</param>
    public void TellVersionsOf(IFlagstoneClient client) =>
        _client = new WeakReference<IFlagstoneClient>(client ?? throw new ArgumentNullException(nameof(client)));

    /// <inheritdoc/>
    public override ImmutableDictionary<string, object?> AfterEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data, EvaluationDetail<JsonElement> detail)
    {
        _ = context ?? throw new ArgumentNullException(nameof(context));
        if (Activity.Current is Activity { IsAllDataRequested: true } activity)
        {
            activity.AddEvent(new ActivityEvent(EventName, tags: Tags(context, detail)));
        }
        return data;
    }

    private ActivityTagsCollection Tags(EvaluationSeriesContext context, in EvaluationDetail<JsonElement> detail)
    {
        ActivityTagsCollection tags = new()
        {
            ["feature_flag.key"] = context.FlagKey,
            ["feature_flag.provider.name"] = Provider,
            ["feature_flag.result.reason"] = Reason(detail),
        };
        if (detail.VariationIndex is int variation)
        {
            tags["feature_flag.result.variant"] = variation.ToString(CultureInfo.InvariantCulture);
        }
        if (context.EnvironmentId is string environment)
        {
            tags["feature_flag.set.id"] = environment;
        }
        if (_contextId && context.Context is Context who)
        {
            tags["feature_flag.context.id"] = who.FullyQualifiedKey;
        }
        if (detail.Reason.Kind == EvaluationReasonKind.Error)
        {
            tags["error.type"] = Error(detail.Reason.ErrorKind);
        }
        if (Version(context.FlagKey) is long version)
        {
            tags["feature_flag.version"] = version.ToString(CultureInfo.InvariantCulture);
        }
        return tags;
    }

    private long? Version(string key)
    {
        if (_client is null || !_client.TryGetTarget(out IFlagstoneClient? client))
        {
            return null;
        }
        try
        {
            return client.GetFlagVersion(key);
        }
        catch (Exception error) when (error is ArgumentException or FlagstoneException or FlagstoneLibraryException)
        {
            // A key that is no text has none, and an older library does not tell.
            return null;
        }
    }

    private static string Reason(in EvaluationDetail<JsonElement> detail) => detail.Reason.Kind switch
    {
        EvaluationReasonKind.Error => "error",
        _ when detail.IsStale => "stale",
        _ when detail.Reason.InExperiment => "split",
        EvaluationReasonKind.Off => "disabled",
        EvaluationReasonKind.Fallthrough => "default",
        EvaluationReasonKind.TargetMatch or EvaluationReasonKind.RuleMatch => "targeting_match",
        // The conventions write words in small letters.
#pragma warning disable CA1308
        EvaluationReasonKind other => ReasonForm.Name(other).ToLowerInvariant(),
#pragma warning restore CA1308
    };

    /// <summary>The words that OpenFeature's providers give, whatever flags they have.</summary>
    private static string Error(EvaluationErrorKind? kind) => kind switch
    {
        EvaluationErrorKind.ClientNotReady => "provider_not_ready",
        EvaluationErrorKind.FlagNotFound => "flag_not_found",
        EvaluationErrorKind.MalformedFlag => "parse_error",
        EvaluationErrorKind.UserNotSpecified => "targeting_key_missing",
        EvaluationErrorKind.WrongType => "type_mismatch",
        _ => "general",
    };
}
