// Evaluation. Nothing waits, big segments apart: the tasks have ended when they are returned.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

public sealed partial class FlagstoneProvider
{
    /// <inheritdoc/>
    public override Task<ResolutionDetails<bool>> ResolveBooleanValueAsync(
        string flagKey, bool defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
        Resolved(flagKey, context, who => Client.BoolVariationDetail(flagKey, who, defaultValue));

    /// <inheritdoc/>
    public override Task<ResolutionDetails<string>> ResolveStringValueAsync(
        string flagKey, string defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
        Resolved(flagKey, context, who => Client.StringVariationDetail(flagKey, who, defaultValue));

    /// <summary>A number with a fraction is rounded as <see cref="FlagstoneOptions.EvaluationIntegerRounding"/> says.</summary>
    /// <inheritdoc/>
    public override Task<ResolutionDetails<int>> ResolveIntegerValueAsync(
        string flagKey, int defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
        Resolved(flagKey, context, who => Client.IntVariationDetail(flagKey, who, defaultValue));

    /// <inheritdoc/>
    public override Task<ResolutionDetails<double>> ResolveDoubleValueAsync(
        string flagKey, double defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
        Resolved(flagKey, context, who => Client.DoubleVariationDetail(flagKey, who, defaultValue));

    /// <summary>Any value: a scalar, too, is one.</summary>
    /// <inheritdoc/>
    public override Task<ResolutionDetails<Value>> ResolveStructureValueAsync(
        string flagKey, Value defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default)
    {
        using Context? who = _contexts.Of(context);
        EvaluationDetail<JsonElement> detail = Client.JsonVariationDetail(flagKey, who, JsonForm.Of(defaultValue));
        Value value = detail.IsDefaultValue ? defaultValue : JsonForm.ToValue(detail.Value);
        return Task.FromResult(Resolution.Of(flagKey, value, detail, MetadataOf(flagKey, context)));
    }

    private Task<ResolutionDetails<T>> Resolved<T>(
        string key, EvaluationContext? context, Func<Context?, EvaluationDetail<T>> evaluate)
    {
        using Context? who = _contexts.Of(context);
        EvaluationDetail<T> detail = evaluate(who);
        return Task.FromResult(Resolution.Of(key, detail.Value, detail, MetadataOf(key, context)));
    }

    /// <summary>What OpenFeature's hooks for telemetry read.</summary>
    private Dictionary<string, object> MetadataOf(string key, EvaluationContext? context)
    {
        Dictionary<string, object> metadata = [];
        if (context?.TargetingKey is string { Length: > 0 } who)
        {
            metadata["contextId"] = who;
        }
        if (_events.EnvironmentId is string environment)
        {
            metadata["flagSetId"] = environment;
        }
        if (VersionOf(key) is long version)
        {
            metadata["version"] = version.ToString(CultureInfo.InvariantCulture);
        }
        return metadata;
    }

    private long? VersionOf(string key)
    {
        try
        {
            return Client.GetFlagVersion(key);
        }
        catch (Exception error) when (error is ArgumentException or FlagstoneLibraryException)
        {
            // A key that is no text has none, and an older library does not tell.
            return null;
        }
    }
}
