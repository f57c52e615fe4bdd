// What a client has for those who measure it: counters and gauges, and which version of a flag is held.
using System;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    private Action? _beforeClose;

    /// <summary>Calls somebody before the client is closed, as long as it can still be asked; must not throw.</summary>
    internal void BeforeClose(Action action) => _beforeClose += action;

    /// <summary>
    /// Counters and gauges as Prometheus reads them (text format 0.0.4): evaluations by flag and variation where there are events
    /// or <see cref="FlagstoneOptions.MetricsEvaluations"/> is set, age of the data, freshness, states, bytes, losses.
    /// </summary>
    /// <returns>The text.</returns>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    /// <exception cref="FlagstoneLibraryException">The library is older than this package and has no metrics.</exception>
    public unsafe string GetMetricsText()
    {
        NativeLoader.Require(NativeMethods.flagstone_abi_version(), NativeLoader.ReportingMinor, nameof(GetMetricsText));
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_metrics_text(_native, &text, &error);
        GC.KeepAlive(this);
        NativeResult.Check(status, error);
        return NativeResult.Take(ref text);
    }

    /// <summary>The version of a flag that is held at this moment.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <returns>The version; null when there is no such flag, or it is not held.</returns>
    /// <exception cref="ArgumentException">The key is no text.</exception>
    /// <exception cref="FlagstoneLibraryException">The library is older than this package and does not tell.</exception>
    public unsafe long? GetFlagVersion(string key)
    {
        byte[] name = Utf8.Encode(NotNull(key), nameof(key));
        NativeLoader.Require(NativeMethods.flagstone_abi_version(), NativeLoader.ReportingMinor, nameof(GetFlagVersion));
        byte none = 0;
        long version;
        int status;
        fixed (byte* pointer = name)
        {
            byte* start = pointer is null ? &none : pointer;
            status = NativeMethods.flagstone_client_flag_version(_native, start, (nuint)name.Length, &version, null);
        }
        GC.KeepAlive(this);
        return status == NativeCodes.StatusOk ? version : null;
    }
}
