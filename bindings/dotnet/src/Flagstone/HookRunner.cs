// Runs the hooks of a client. There is none without hooks: who evaluates finds null, and that is all it costs.
//
// A hook may evaluate. Its evaluations run no hooks, or a hook that evaluates would never end: while a stage runs, what runs it
// is known to everything that is called from it, on other threads too; work that outlives the stage has hooks again.
using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Text.Json;
using System.Threading;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class HookRunner
{
    private static readonly ImmutableDictionary<string, object?> s_noData = ImmutableDictionary<string, object?>.Empty;

    private readonly Hook[] _hooks;
    private readonly ILogger _logger;
    private int _isEnded;

    private HookRunner(Hook[] hooks, ILogger logger)
    {
        _hooks = hooks;
        _logger = logger;
    }

    /// <summary>Whether hooks run now: not after the end, and not for what a hook of the same client does.</summary>
    internal bool IsActive => !Stage.IsWithin(this) && Volatile.Read(ref _isEnded) == 0;

    /// <summary>Whether any hook has something to do.</summary>
    internal bool IsWanted
    {
        get
        {
            foreach (Hook hook in _hooks)
            {
                if (!hook.IsIdle)
                {
                    return true;
                }
            }
            return false;
        }
    }

    /// <summary>Null without hooks.</summary>
    internal static HookRunner? Of(IReadOnlyCollection<Hook> hooks, ILogger logger) =>
        hooks.Count == 0 ? null : new HookRunner([.. hooks], logger);

    /// <summary>Runs the first stage of an evaluation.</summary>
    /// <returns>What the second stage needs.</returns>
    internal HookSeries Before(EvaluationSeriesContext context)
    {
        ImmutableDictionary<string, object?>[] data = new ImmutableDictionary<string, object?>[_hooks.Length];
        using Stage stage = new(this);
        for (int index = 0; index < _hooks.Length; index++)
        {
            Hook hook = _hooks[index];
            data[index] = s_noData;
            Run(hook, nameof(Hook.BeforeEvaluation), context.FlagKey, () =>
                data[index] = hook.BeforeEvaluation(context, s_noData) ?? s_noData);
        }
        return new HookSeries(this, context, data);
    }

    /// <summary>Runs the second one.</summary>
    internal void After(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?>[] data, EvaluationDetail<JsonElement> detail)
    {
        using Stage stage = new(this);
        for (int index = _hooks.Length - 1; index >= 0; index--)
        {
            Hook hook = _hooks[index];
            Run(hook, nameof(Hook.AfterEvaluation), context.FlagKey, () => hook.AfterEvaluation(context, data[index], detail));
        }
    }

    /// <summary>Runs what follows an event.</summary>
    internal void AfterTrack(TrackSeriesContext context)
    {
        using Stage stage = new(this);
        foreach (Hook hook in _hooks)
        {
            Run(hook, nameof(Hook.AfterTrack), context.Key, () => hook.AfterTrack(context));
        }
    }

    /// <summary>Disposes of the hooks, once. An evaluation that is under way may still run some.</summary>
    internal void End()
    {
        if (Interlocked.Exchange(ref _isEnded, 1) == 0)
        {
            foreach (Hook hook in _hooks)
            {
#pragma warning disable CA1031 // the client ends all the same
                try
                {
                    hook.Dispose();
                }
                catch (Exception error)
                {
                    Log.HookNotDisposed(_logger, error, hook.Metadata.Name);
                }
#pragma warning restore CA1031
            }
        }
    }

    private void Run(Hook hook, string stage, string key, Action run)
    {
#pragma warning disable CA1031 // what a hook throws must not reach the caller, nor keep other hooks from running
        try
        {
            run();
        }
        catch (Exception error)
        {
            Log.HookThrew(_logger, error, hook.Metadata.Name, stage, key);
        }
#pragma warning restore CA1031
    }
}

/// <summary>An evaluation between its stages; the default is one without hooks.</summary>
internal readonly struct HookSeries(
    HookRunner runner, EvaluationSeriesContext context, ImmutableDictionary<string, object?>[] data)
{
    internal bool HasHooks => runner is not null;

    internal void After(EvaluationDetail<JsonElement> detail) => runner?.After(context, data, detail);
}
