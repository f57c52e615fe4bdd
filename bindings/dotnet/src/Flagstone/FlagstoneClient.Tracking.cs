// What a host tells: who somebody is, and that something happened. Nobody's request fails because of it: what is wrong is logged.
using System;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>Bit of each <see cref="NotTold"/> that was logged.</summary>
    private int _saidNotTold;

    /// <summary>Why something is not told.</summary>
    private enum NotTold
    {
        Closed,
        Context,
        Name,
        Data,
        Metric,
        Migration,
        Defect,
    }

    /// <summary>
    /// Tells LaunchDarkly who somebody is, whether or not flags are evaluated for them: evaluations tell it by themselves.
    /// </summary>
    /// <remarks>
    /// It is queued and sent with the next flush; nothing is waited for, and nothing happens without events. Never throws:
    /// without a context and after <see cref="Dispose"/> nothing is told, which is logged once each.
    /// </remarks>
    /// <param name="context">Who it is; one that is disposed of is as good as before.</param>
    public void Identify(Context? context) => Tell(context);

    /// <summary>Tells LaunchDarkly that something happened to somebody, for example as the metric of an experiment.</summary>
    /// <remarks>
    /// It is queued and sent with the next flush; nothing is waited for, and nothing happens without events. Never throws: what
    /// cannot be told is logged, once per client for each kind of mistake, and not sent. Mistakes are no context, a name that is
    /// null or no text, data that are nested deeper than 127 levels, disposed of, or have a lone surrogate, a metric that is not
    /// finite, and a client that is disposed of.
    /// </remarks>
    /// <param name="name">What happened.</param>
    /// <param name="context">To whom; one that is disposed of is as good as before.</param>
    public void Track(string name, Context? context) => Track(name, context, default);

    /// <summary>As <see cref="Track(string, Context?)"/>, with data about it.</summary>
    /// <inheritdoc cref="Track(string, Context?)"/>
    /// <param name="name">What happened.</param>
    /// <param name="context">To whom; one that is disposed of is as good as before.</param>
    /// <param name="data">Any JSON; nothing if it is null or undefined (<c>default</c>).</param>
    public unsafe void Track(string name, Context? context, JsonElement data) => Track(name, context, data, (double*)null);

    /// <summary>As <see cref="Track(string, Context?)"/>, with data about it and a number to measure it by.</summary>
    /// <inheritdoc cref="Track(string, Context?, JsonElement)"/>
    /// <param name="name">What happened.</param>
    /// <param name="context">To whom; one that is disposed of is as good as before.</param>
    /// <param name="data">Any JSON; nothing if it is null or undefined (<c>default</c>).</param>
    /// <param name="metricValue">The number: finite.</param>
    public unsafe void Track(string name, Context? context, JsonElement data, double metricValue) =>
        Track(name, context, data, &metricValue);

    private unsafe void Tell(Context? context)
    {
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(context);
        int status = native == IntPtr.Zero
            ? NativeCodes.StatusNullArgument
            : NativeMethods.flagstone_identify(_native, native, &error);
        Context.Release(context, native);
        GC.KeepAlive(this);
        CheckTold(status, error);
    }

    [SkipLocalsInit]
    private unsafe void Track(string name, Context? context, JsonElement data, double* metric)
    {
        byte* dataBuffer = stackalloc byte[LentText.Capacity];
        if (!TryLend(data, dataBuffer, out NativeText lent))
        {
            SayNotTold(NotTold.Data, "its data are disposed of, have a lone surrogate, or are nested too deep");
            return;
        }
        byte* nameBuffer = stackalloc byte[LentText.Capacity];
        bool isTold = false;
        if (LentText.TryLend(name, nameBuffer, out NativeText lentName))
        {
            isTold = Track(lentName, context, lent, metric);
        }
        else
        {
            SayNotTold(NotTold.Name, "its name is null or cannot be written as UTF-8");
        }
        LentText.TakeBack(lentName, nameBuffer);
        LentText.TakeBack(lent, dataBuffer);
        if (isTold && HasHooks)
        {
            AfterTrack(name, context!, data, metric);
        }
    }

    private unsafe bool Track(NativeText name, Context? context, NativeText data, double* metric)
    {
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(context);
        int status = native == IntPtr.Zero
            ? NativeCodes.StatusNullArgument
            : NativeMethods.flagstone_track(_native, native, name.ptr, name.len, metric, data.ptr, data.len, &error);
        Context.Release(context, native);
        GC.KeepAlive(this);
        CheckTold(status, error);
        return status == NativeCodes.StatusOk;
    }

    /// <summary>Lends data as JSON text; none for null.</summary>
    private static unsafe bool TryLend(JsonElement data, byte* buffer, out NativeText text)
    {
        text = default;
        try
        {
            return data.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null || JsonPen.TryWrite(data, buffer, out text);
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private void CheckTold(int status, IntPtr error)
    {
        if (status != NativeCodes.StatusOk)
        {
            SayNotTold(status, error);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SayNotTold(int status, IntPtr error)
    {
        NativeResult.Discard(error);
        switch (status)
        {
            case NativeCodes.StatusClosed:
                SayNotTold(NotTold.Closed, "the client is disposed of");
                break;
            case NativeCodes.StatusNullArgument:
                SayNotTold(NotTold.Context, "its context is null");
                break;
            case NativeCodes.StatusBadJson:
                SayNotTold(NotTold.Data, "its data are nested too deep");
                break;
            case NativeCodes.StatusInvalidArgument:
                SayNotTold(NotTold.Metric, "its metric is not finite");
                break;
            default:
                SayNotTold(NotTold.Defect, $"the library answers with status {status}");
                break;
        }
    }

    private void SayNotTold(NotTold kind, string reason)
    {
        int bit = 1 << (int)kind;
        int said = Volatile.Read(ref _saidNotTold);
        while ((said & bit) == 0)
        {
            int before = Interlocked.CompareExchange(ref _saidNotTold, said | bit, said);
            if (before == said)
            {
                Log.NotTold(_logger, reason);
                return;
            }
            said = before;
        }
    }
}
