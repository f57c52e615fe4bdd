// Evaluations and events with hooks around them; without hooks none of this is reached.
using System;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>Null without hooks.</summary>
    private readonly HookRunner? _hooks;

    /// <summary>Whether there are hooks that have something to do now; else evaluation goes the way that it goes without any.</summary>
    internal bool HasHooks => _hooks is HookRunner hooks && hooks.IsWanted;

    /// <summary>Runs the first stage of hooks, if any are to run.</summary>
    internal HookSeries Before(string key, Context? context, JsonElement defaultValue, string method) =>
        _hooks is HookRunner hooks && hooks.IsActive
            ? hooks.Before(new EvaluationSeriesContext(key, context, defaultValue, method, EnvironmentId()))
            : default;

    /// <summary>Tells hooks what came out, with the value as JSON.</summary>
    internal static void After<T, TValue>(in HookSeries series, in EvaluationDetail<T> detail)
        where TValue : struct, IValueType<T>
    {
        if (series.HasHooks)
        {
            series.After(new EvaluationDetail<JsonElement>(
                default(TValue).ToJson(detail.Value), detail.VariationIndex, detail.Reason, detail.IsStale));
        }
    }

    private EvaluationDetail<T> Hooked<T, TValue>(string? key, Context? context, T defaultValue, uint options, string method)
        where TValue : struct, IValueType<T>
    {
        HookSeries series = Before(key ?? "", context, default(TValue).ToJson(defaultValue), Named(method));
        EvaluationDetail<T> detail = Evaluated<T, TValue>(key, context, defaultValue, options);
        After<T, TValue>(series, detail);
        return detail;
    }

    private unsafe EvaluationDetail<T> Hooked<T, TValue>(
        ReadOnlySpan<byte> key, Context? context, T defaultValue, uint options, string method)
        where TValue : struct, IValueType<T>
    {
        HookSeries series;
        fixed (byte* pointer = key)
        {
            string text = Utf8.ToString(pointer, (nuint)key.Length);
            series = Before(text, context, default(TValue).ToJson(defaultValue), Named(method));
        }
        EvaluationDetail<T> detail = Evaluated<T, TValue>(key, context, defaultValue, options);
        After<T, TValue>(series, detail);
        return detail;
    }

    /// <summary>A value with hooks around it. The reason is for the hooks, and goes into no event.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private T HookedValue<T, TValue>(string? key, Context? context, T defaultValue, [CallerMemberName] string method = "")
        where TValue : struct, IValueType<T> => Hooked<T, TValue>(key, context, defaultValue, 0, method).Value;

    /// <inheritdoc cref="HookedValue{T, TValue}(string?, Context?, T, string)"/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private T HookedValue<T, TValue>(
        ReadOnlySpan<byte> key, Context? context, T defaultValue, [CallerMemberName] string method = "")
        where TValue : struct, IValueType<T> => Hooked<T, TValue>(key, context, defaultValue, 0, method).Value;

    /// <summary>Runs the hooks after an event that was told.</summary>
    private unsafe void AfterTrack(string name, Context context, JsonElement data, double* metric)
    {
        if (_hooks is HookRunner hooks && hooks.IsActive)
        {
            hooks.AfterTrack(new TrackSeriesContext(
                name,
                context,
                data.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null : data,
                metric is null ? null : *metric,
                EnvironmentId()));
        }
    }

    private unsafe string? EnvironmentId()
    {
        NativeBytes text = default;
        int status = NativeMethods.flagstone_client_environment_id(_native, &text, null);
        GC.KeepAlive(this);
        return status == NativeCodes.StatusOk ? TakeText(&text) : null;
    }

    private static string Named(string method) => string.Concat(nameof(FlagstoneClient), ".", method);
}
