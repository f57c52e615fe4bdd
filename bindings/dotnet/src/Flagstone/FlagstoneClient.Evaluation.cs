// Evaluation by key. The scalar calls encode the key on the stack, cross into the library once and allocate nothing; everything
// else goes through a native detail.
//
// Between Acquire and Release of a context nothing can throw: a native call does not, so there is no try, which would keep the
// runtime from inlining the crossing.
using System;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    private int _saidNoContext;
    private int _saidNoKey;

    /// <summary>Value of a boolean flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing without hooks.</returns>
    [SkipLocalsInit]
    public unsafe bool BoolVariation(string key, Context? context, bool defaultValue = false)
    {
        if (HasHooks)
        {
            return HookedValue<bool, BoolValue>(key, context, defaultValue);
        }
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        return length >= 0
            ? Bool(buffer, length, context, defaultValue)
            : Value<bool, BoolValue>(key, context, defaultValue);
    }

    /// <summary>
    /// As <see cref="BoolVariation(string, Context?, bool)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="BoolVariation(string, Context?, bool)"/>
    public unsafe bool BoolVariation(ReadOnlySpan<byte> key, Context? context, bool defaultValue = false)
    {
        if (HasHooks)
        {
            return HookedValue<bool, BoolValue>(key, context, defaultValue);
        }
        fixed (byte* pointer = key)
        {
            return Bool(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>
    /// Value of a number flag as an integer: as <see cref="LongVariation(string, Context?, long)"/>, but numbers beyond 32 bits
    /// give the nearest end of the range.
    /// </summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing without hooks.</returns>
    [SkipLocalsInit]
    public unsafe int IntVariation(string key, Context? context, int defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<int, IntValue>(key, context, defaultValue);
        }
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        return length >= 0
            ? Int(buffer, length, context, defaultValue)
            : Value<int, IntValue>(key, context, defaultValue);
    }

    /// <summary>
    /// As <see cref="IntVariation(string, Context?, int)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="IntVariation(string, Context?, int)"/>
    public unsafe int IntVariation(ReadOnlySpan<byte> key, Context? context, int defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<int, IntValue>(key, context, defaultValue);
        }
        fixed (byte* pointer = key)
        {
            return Int(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>
    /// Value of a number flag as an integer: exact when the flag writes an integer of 64 bits; otherwise rounded to the nearest
    /// one, halves to the even one (2.5 gives 2, 2.75 gives 3), or as <see cref="FlagstoneOptions.EvaluationIntegerRounding"/>
    /// says; numbers beyond 64 bits give the nearest end of the range.
    /// </summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing without hooks.</returns>
    [SkipLocalsInit]
    public unsafe long LongVariation(string key, Context? context, long defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<long, LongValue>(key, context, defaultValue);
        }
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        return length >= 0
            ? Long(buffer, length, context, defaultValue)
            : Value<long, LongValue>(key, context, defaultValue);
    }

    /// <summary>
    /// As <see cref="LongVariation(string, Context?, long)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="LongVariation(string, Context?, long)"/>
    public unsafe long LongVariation(ReadOnlySpan<byte> key, Context? context, long defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<long, LongValue>(key, context, defaultValue);
        }
        fixed (byte* pointer = key)
        {
            return Long(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>Value of a number flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing without hooks.</returns>
    [SkipLocalsInit]
    public unsafe double DoubleVariation(string key, Context? context, double defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<double, DoubleValue>(key, context, defaultValue);
        }
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        return length >= 0
            ? Double(buffer, length, context, defaultValue)
            : Value<double, DoubleValue>(key, context, defaultValue);
    }

    /// <summary>
    /// As <see cref="DoubleVariation(string, Context?, double)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="DoubleVariation(string, Context?, double)"/>
    public unsafe double DoubleVariation(ReadOnlySpan<byte> key, Context? context, double defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<double, DoubleValue>(key, context, defaultValue);
        }
        fixed (byte* pointer = key)
        {
            return Double(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>Value of a string flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>
    /// The flag's value, or the default. Never throws; allocates nothing, without hooks, for a short text that was served before.
    /// </returns>
    [SkipLocalsInit]
    public unsafe string StringVariation(string key, Context? context, string defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<string, StringValue>(key, context, defaultValue);
        }
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        return length >= 0 && defaultValue is not null
            ? String(buffer, length, context, defaultValue)
            : Value<string, StringValue>(key, context, defaultValue!);
    }

    /// <summary>
    /// As <see cref="StringVariation(string, Context?, string)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="StringVariation(string, Context?, string)"/>
    public unsafe string StringVariation(ReadOnlySpan<byte> key, Context? context, string defaultValue)
    {
        if (HasHooks)
        {
            return HookedValue<string, StringValue>(key, context, defaultValue);
        }
        fixed (byte* pointer = key)
        {
            return defaultValue is not null
                ? String(pointer, key.Length, context, defaultValue)
                : Value<string, StringValue>(key, context, defaultValue!);
        }
    }

    /// <summary>Value of a flag of any type.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, numbers as they are written in the flag; or the default. Never throws.</returns>
    public JsonElement JsonVariation(string key, Context? context, JsonElement defaultValue) => !HasHooks
        ? Value<JsonElement, JsonValue>(key, context, defaultValue)
        : HookedValue<JsonElement, JsonValue>(key, context, defaultValue);

    /// <summary>
    /// As <see cref="JsonVariation(string, Context?, JsonElement)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="JsonVariation(string, Context?, JsonElement)"/>
    public JsonElement JsonVariation(ReadOnlySpan<byte> key, Context? context, JsonElement defaultValue) => !HasHooks
        ? Value<JsonElement, JsonValue>(key, context, defaultValue)
        : HookedValue<JsonElement, JsonValue>(key, context, defaultValue);

    // Bool, Long and Double are methods of their own for speed: one that uses no wide registers itself gives up those of its
    // callers before it prepares the native call, which costs several times as much while they are in use.

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe bool Bool(byte* key, int length, Context? context, bool defaultValue)
    {
        IntPtr native = Context.Acquire(context);
        int value = NativeMethods.flagstone_bool_variation(_native, native, key, (nuint)length, defaultValue ? 1 : 0);
        Leave(context, native);
        return value != 0;
    }

    private unsafe int Int(byte* key, int length, Context? context, int defaultValue) =>
        IntValue.Saturated(Long(key, length, context, defaultValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe long Long(byte* key, int length, Context? context, long defaultValue)
    {
        IntPtr native = Context.Acquire(context);
        long value = NativeMethods.flagstone_int_variation(_native, native, key, (nuint)length, defaultValue);
        Leave(context, native);
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe double Double(byte* key, int length, Context? context, double defaultValue)
    {
        IntPtr native = Context.Acquire(context);
        double value = NativeMethods.flagstone_double_variation(_native, native, key, (nuint)length, defaultValue);
        Leave(context, native);
        return value;
    }

    [SkipLocalsInit]
    private unsafe string String(byte* key, int length, Context? context, string defaultValue)
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        NativeText lent = _hasEvents ? LentText.Of(defaultValue, buffer) : default;
        NativeBytes text = default;
        IntPtr native = Context.Acquire(context);
        int served = NativeMethods.flagstone_string_variation(_native, native, key, (nuint)length, lent.ptr, lent.len, &text);
        Leave(context, native);
        LentText.TakeBack(lent, buffer);
        return served != 0 ? TakeText(&text) : defaultValue;
    }

    /// <summary>Reads and gives back the text of a flag.</summary>
    internal static unsafe string TakeText(NativeBytes* text)
    {
        try
        {
            return TextCache.Get(text->ptr, text->len);
        }
        finally
        {
            if (text->owner != IntPtr.Zero)
            {
                NativeMethods.flagstone_bytes_clear(text);
            }
        }
    }

    [SkipLocalsInit]
    private unsafe T Value<T, TValue>(string? key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        NativeDefault given = Given<T, TValue>(defaultValue, buffer);
        NativeDetail detail = NativeDetail.New();
        bool isFilled = Fill(key, context, new Question(default(TValue).Wanted, &given, 0), &detail);
        LentText.TakeBack(given.text, buffer);
        return isFilled ? TakeValue<T, TValue>(&detail, defaultValue) : defaultValue;
    }

    [SkipLocalsInit]
    private unsafe T Value<T, TValue>(ReadOnlySpan<byte> key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        NativeDefault given = Given<T, TValue>(defaultValue, buffer);
        NativeDetail detail = NativeDetail.New();
        fixed (byte* pointer = key)
        {
            Fill(pointer, key.Length, context, new Question(default(TValue).Wanted, &given, 0), &detail);
        }
        LentText.TakeBack(given.text, buffer);
        return TakeValue<T, TValue>(&detail, defaultValue);
    }

    /// <summary>Reads and clears a detail.</summary>
    internal static unsafe T TakeValue<T, TValue>(NativeDetail* detail, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        try
        {
            return Details.Value<T, TValue>(*detail, defaultValue);
        }
        finally
        {
            NativeMethods.flagstone_detail_clear(detail);
        }
    }

    /// <summary>Ends a call that has acquired a context.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Leave(Context? context, IntPtr native)
    {
        Context.Release(context, native);
        if (native == IntPtr.Zero)
        {
            SayNoContext();
        }
        GC.KeepAlive(this);
    }

    private void SayNoKey()
    {
        if (Interlocked.Exchange(ref _saidNoKey, 1) == 0)
        {
            Log.NoKey(_logger);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SayNoContext()
    {
        if (Interlocked.Exchange(ref _saidNoContext, 1) == 0)
        {
            Log.NoContext(_logger);
        }
    }
}
