// Prepared flags as they are. The scalar ones cross into the library with two pointers.
//
// The raw pointers are safe for the same reason as in FlagstoneClient: only the finalizer of the handle gives the flag back, and
// the call keeps this object, which owns the handle, alive.
using System;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

// Its handle is given back by the finalizer alone.
#pragma warning disable CA1001
internal class PreparedFlag<T, TValue> : Flag<T>
    where TValue : struct, IValueType<T>
#pragma warning restore CA1001
{
    private readonly FlagHandle _handle;

    internal unsafe PreparedFlag(FlagstoneClient client, IntPtr nativeClient, string key, T defaultValue, string defaultJson)
        : base(key, defaultValue)
    {
        byte[] keyBytes = Utf8.Encode(key, nameof(key));
        byte[] defaultBytes = Utf8.Encode(defaultJson, nameof(defaultValue));
        byte none = 0;
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        fixed (byte* keyPointer = keyBytes, defaultPointer = defaultBytes)
        {
            int status = NativeMethods.flagstone_flag_new(
                nativeClient, keyPointer is null ? &none : keyPointer, (nuint)keyBytes.Length, default(TValue).Wanted,
                defaultPointer, (nuint)defaultBytes.Length, &made, &error);
            NativeResult.Check(status, error, nameof(key));
        }
        _handle = new FlagHandle(made);
        Native = made;
        Client = client;
    }

    private protected IntPtr Native { get; }

    private protected FlagstoneClient Client { get; }

    public override unsafe T Value(Context? context)
    {
        NativeDetail detail = NativeDetail.New();
        Fill(context, &detail);
        return FlagstoneClient.TakeValue<T, TValue>(&detail, DefaultValue);
    }

    public override unsafe EvaluationDetail<T> Detail(Context? context)
    {
        NativeDetail detail = NativeDetail.New();
        Fill(context, &detail);
        return FlagstoneClient.TakeDetail<T, TValue>(&detail, DefaultValue);
    }

    private unsafe void Fill(Context? context, NativeDetail* detail)
    {
        IntPtr native = Context.Acquire(context);
        _ = NativeMethods.flagstone_flag_detail(Native, native, detail);
        Client.Leave(context, native);
        GC.KeepAlive(this);
    }
}

internal sealed class PreparedBoolFlag(FlagstoneClient client, IntPtr nativeClient, string key, bool defaultValue)
    : PreparedFlag<bool, BoolValue>(client, nativeClient, key, defaultValue, defaultValue ? "true" : "false")
{
    public override bool Value(Context? context)
    {
        IntPtr native = Context.Acquire(context);
        int value = NativeMethods.flagstone_flag_bool(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return value != 0;
    }
}

internal sealed class PreparedIntFlag(FlagstoneClient client, IntPtr nativeClient, string key, int defaultValue)
    : PreparedFlag<int, IntValue>(client, nativeClient, key, defaultValue, JsonText.Of(defaultValue))
{
    public override int Value(Context? context)
    {
        IntPtr native = Context.Acquire(context);
        // The native call for integers truncates.
        double value = NativeMethods.flagstone_flag_double(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return IntValue.Round(value);
    }
}

internal sealed class PreparedDoubleFlag(FlagstoneClient client, IntPtr nativeClient, string key, double defaultValue)
    : PreparedFlag<double, DoubleValue>(client, nativeClient, key, defaultValue, JsonText.Of(defaultValue))
{
    public override double Value(Context? context)
    {
        IntPtr native = Context.Acquire(context);
        double value = NativeMethods.flagstone_flag_double(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return value;
    }
}
