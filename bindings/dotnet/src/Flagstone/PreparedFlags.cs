// Prepared flags as they are. The scalar ones cross into the library with two pointers.
//
// The raw pointers are safe for the same reason as in FlagstoneClient: the handle gives the flag back when this object is gone for
// good, and the call keeps it alive.
using System;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

internal class PreparedFlag<T, TValue> : Flag<T>
    where TValue : struct, IValueType<T>
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
            NativeResult.Check(status, error, status == NativeCodes.StatusBadJson ? nameof(defaultValue) : nameof(key));
        }
        _handle = new FlagHandle(this, made);
        Native = made;
        Client = client;
    }

    private protected IntPtr Native { get; }

    private protected FlagstoneClient Client { get; }

    public override unsafe T Value(Context? context)
    {
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
        NativeDetail detail = NativeDetail.New();
        IntPtr native = Context.Acquire(context);
        _ = NativeMethods.flagstone_flag_value(Native, native, &detail);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return FlagstoneClient.TakeValue<T, TValue>(&detail, DefaultValue);
    }

    public override EvaluationDetail<T> Detail(Context? context) =>
        Client.HasHooks ? Hooked(context, nameof(Detail)) : Evaluated(context, withReason: true);

    /// <summary>A value with hooks around it. The reason is for the hooks, and goes into no event.</summary>
    private protected T HookedValue(Context? context) => Hooked(context, nameof(Value)).Value;

    private EvaluationDetail<T> Hooked(Context? context, string method)
    {
        HookSeries series = Client.Before(Key, context, default(TValue).ToJson(DefaultValue), $"Flag.{method}");
        EvaluationDetail<T> detail = Evaluated(context, withReason: method == nameof(Detail));
        FlagstoneClient.After<T, TValue>(series, detail);
        return detail;
    }

    private unsafe EvaluationDetail<T> Evaluated(Context? context, bool withReason)
    {
        NativeDetail detail = NativeDetail.New();
        IntPtr native = Context.Acquire(context);
        _ = withReason
            ? NativeMethods.flagstone_flag_detail(Native, native, &detail)
            : NativeMethods.flagstone_flag_value(Native, native, &detail);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return FlagstoneClient.TakeDetail<T, TValue>(&detail, DefaultValue);
    }
}

internal sealed class PreparedBoolFlag(FlagstoneClient client, IntPtr nativeClient, string key, bool defaultValue)
    : PreparedFlag<bool, BoolValue>(client, nativeClient, key, defaultValue, defaultValue ? "true" : "false")
{
    public override bool Value(Context? context)
    {
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
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
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
        IntPtr native = Context.Acquire(context);
        long value = NativeMethods.flagstone_flag_int(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return IntValue.Saturated(value);
    }
}

internal sealed class PreparedLongFlag(FlagstoneClient client, IntPtr nativeClient, string key, long defaultValue)
    : PreparedFlag<long, LongValue>(client, nativeClient, key, defaultValue, JsonText.Of(defaultValue))
{
    public override long Value(Context? context)
    {
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
        IntPtr native = Context.Acquire(context);
        long value = NativeMethods.flagstone_flag_int(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return value;
    }
}

internal sealed class PreparedDoubleFlag(FlagstoneClient client, IntPtr nativeClient, string key, double defaultValue)
    : PreparedFlag<double, DoubleValue>(client, nativeClient, key, defaultValue, JsonText.Of(defaultValue))
{
    public override double Value(Context? context)
    {
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
        IntPtr native = Context.Acquire(context);
        double value = NativeMethods.flagstone_flag_double(Native, native);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        return value;
    }
}

internal sealed class PreparedStringFlag(FlagstoneClient client, IntPtr nativeClient, string key, string defaultValue)
    : PreparedFlag<string, StringValue>(client, nativeClient, key, defaultValue, JsonText.Of(defaultValue))
{
    public override unsafe string Value(Context? context)
    {
        if (Client.HasHooks)
        {
            return HookedValue(context);
        }
        NativeBytes text = default;
        IntPtr native = Context.Acquire(context);
        int served = NativeMethods.flagstone_flag_string(Native, native, &text);
        Client.Leave(context, native);
        GC.KeepAlive(this);
        string value = FlagstoneClient.TakeText(&text);
        return served != 0 ? value : DefaultValue;
    }
}
