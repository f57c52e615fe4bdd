// What a host may run around its evaluations and after what it tells.
using System;
using System.Collections.Immutable;
using System.Text.Json;

namespace Flagstone;

/// <summary>
/// Runs around every evaluation of a client, and after every event that <c>Track</c> has told: for traces, metrics and logs. Set
/// by <see cref="FlagstoneOptions.Hooks"/>; overrides what it is interested in.
/// </summary>
/// <remarks>
/// <para>
/// All stages run on the thread that evaluates, one hook after the other, on any number of threads at once. What a stage throws
/// is logged, and changes neither the evaluation nor what other hooks see.
/// </para>
/// <para>
/// What a stage itself asks and tells the client that runs it, also by tasks that it waits for, runs no hooks: so none runs into
/// itself.
/// </para>
/// </remarks>
public abstract class Hook : IDisposable
{
    /// <summary>For derived hooks.</summary>
    /// <param name="name">A name for log lines.</param>
    protected Hook(string name) => Metadata = new HookMetadata(name ?? throw new ArgumentNullException(nameof(name)));

    /// <summary>What is known about this hook.</summary>
    public HookMetadata Metadata { get; }

    /// <summary>
    /// Whether this hook has nothing to do for what is about to happen on this thread. Where that is so of all hooks, none runs.
    /// </summary>
    internal virtual bool IsIdle => false;

    /// <summary>Runs before an evaluation; hooks in the order of their registration.</summary>
    /// <param name="context">What is evaluated.</param>
    /// <param name="data">Empty.</param>
    /// <returns>What this hook gets in <see cref="AfterEvaluation"/> of the same evaluation; null is empty.</returns>
    public virtual ImmutableDictionary<string, object?> BeforeEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data) => data;

    /// <summary>Runs after an evaluation; hooks in the reverse order.</summary>
    /// <param name="context">What was evaluated.</param>
    /// <param name="data">What <see cref="BeforeEvaluation"/> of this hook has returned; empty when it threw.</param>
    /// <param name="detail">The result, its value as JSON.</param>
    /// <returns>Nobody's business yet.</returns>
    public virtual ImmutableDictionary<string, object?> AfterEvaluation(
        EvaluationSeriesContext context,
        ImmutableDictionary<string, object?> data,
        EvaluationDetail<JsonElement> detail) => data;

    /// <summary>
    /// Runs after an event was told; hooks in the order of their registration. Not for what cannot be told, such as an event
    /// without a context.
    /// </summary>
    /// <param name="context">What was told.</param>
    public virtual void AfterTrack(TrackSeriesContext context)
    {
    }

    /// <summary>Called once by the client that is disposed of.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what a derived hook holds.</summary>
    /// <param name="disposing">True: called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>What is known about a hook.</summary>
public sealed class HookMetadata
{
    internal HookMetadata(string name) => Name = name;

    /// <summary>Its name.</summary>
    public string Name { get; }
}

/// <summary>An evaluation, as its hooks see it.</summary>
public sealed class EvaluationSeriesContext
{
    /// <summary>Makes one, for example for a test of a hook.</summary>
    /// <param name="flagKey">See <see cref="FlagKey"/>.</param>
    /// <param name="context">See <see cref="Context"/>.</param>
    /// <param name="defaultValue">See <see cref="DefaultValue"/>.</param>
    /// <param name="method">See <see cref="Method"/>.</param>
    /// <param name="environmentId">See <see cref="EnvironmentId"/>.</param>
    public EvaluationSeriesContext(
        string flagKey, Context? context, JsonElement defaultValue, string method, string? environmentId = null)
    {
        FlagKey = flagKey;
        Context = context;
        DefaultValue = defaultValue;
        Method = method;
        EnvironmentId = environmentId;
    }

    /// <summary>Key of the flag; empty if it was null.</summary>
    public string FlagKey { get; }

    /// <summary>Who asks; null if nobody was named, which gives the default.</summary>
    public Context? Context { get; }

    /// <summary>The default of the call as JSON; null where the call has none.</summary>
    public JsonElement DefaultValue { get; }

    /// <summary>
    /// What was called, for example <c>FlagstoneClient.BoolVariation</c>, <c>FlagstoneClient.BoolVariationDetail</c>,
    /// <c>FlagstoneClient.VariationMany</c>, <c>FlagstoneClient.MigrationVariation</c>; <c>Flag.Value</c> and <c>Flag.Detail</c>
    /// of a prepared flag.
    /// </summary>
    public string Method { get; }

    /// <summary>The environment that a server named; null if none did.</summary>
    public string? EnvironmentId { get; }
}

/// <summary>An event that was told, as hooks see it.</summary>
public sealed class TrackSeriesContext
{
    /// <summary>Makes one, for example for a test of a hook.</summary>
    /// <param name="key">See <see cref="Key"/>.</param>
    /// <param name="context">See <see cref="Context"/>.</param>
    /// <param name="data">See <see cref="Data"/>.</param>
    /// <param name="metricValue">See <see cref="MetricValue"/>.</param>
    /// <param name="environmentId">See <see cref="EnvironmentId"/>.</param>
    public TrackSeriesContext(
        string key, Context context, JsonElement? data = null, double? metricValue = null, string? environmentId = null)
    {
        Key = key;
        Context = context;
        Data = data;
        MetricValue = metricValue;
        EnvironmentId = environmentId;
    }

    /// <summary>What happened.</summary>
    public string Key { get; }

    /// <summary>To whom.</summary>
    public Context Context { get; }

    /// <summary>Data about it; null without any.</summary>
    public JsonElement? Data { get; }

    /// <summary>The number to measure it by; null without one.</summary>
    public double? MetricValue { get; }

    /// <summary>The environment that a server named; null if none did.</summary>
    public string? EnvironmentId { get; }
}
