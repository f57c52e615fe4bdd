// A hook that remembers its stages, and lets a test act within them.
using System;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;

namespace Flagstone.Tests.Support;

/// <summary>Writes a line for each stage into a list that hooks may share.</summary>
internal sealed class RecordingHook(string name, ConcurrentQueue<string> lines) : Hook(name)
{
    /// <summary>Remembers no lines, of which there would be too many.</summary>
    internal bool IsSilent { get; init; }

    internal Action<EvaluationSeriesContext>? OnBefore { get; init; }

    internal Action<EvaluationSeriesContext>? OnAfter { get; init; }

    internal Action<TrackSeriesContext>? OnTrack { get; init; }

    internal EvaluationSeriesContext? Context { get; private set; }

    internal EvaluationDetail<JsonElement>? Detail { get; private set; }

    internal TrackSeriesContext? Told { get; private set; }

    internal int DisposedCount { get; private set; }

    public override ImmutableDictionary<string, object?> BeforeEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data)
    {
        Say($"{Metadata.Name} before {context.FlagKey} {data.Count}");
        Context = context;
        OnBefore?.Invoke(context);
        return data.Add("from", Metadata.Name);
    }

    public override ImmutableDictionary<string, object?> AfterEvaluation(
        EvaluationSeriesContext context,
        ImmutableDictionary<string, object?> data,
        EvaluationDetail<JsonElement> detail)
    {
        Say($"{Metadata.Name} after {context.FlagKey} {data.GetValueOrDefault("from")}");
        Detail = detail;
        OnAfter?.Invoke(context);
        return data;
    }

    public override void AfterTrack(TrackSeriesContext context)
    {
        Say($"{Metadata.Name} track {context.Key}");
        Told = context;
        OnTrack?.Invoke(context);
    }

    private void Say(string line)
    {
        if (!IsSilent)
        {
            lines.Enqueue(line);
        }
    }

    protected override void Dispose(bool disposing)
    {
        DisposedCount++;
        base.Dispose(disposing);
    }
}
