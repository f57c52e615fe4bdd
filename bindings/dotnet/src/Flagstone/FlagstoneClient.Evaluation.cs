// Evaluation by key. The scalar calls encode the key on the stack, cross into the library once and allocate nothing; everything
// else goes through a native detail.
//
// Between Acquire and Release of a context nothing can throw: a native call does not, so there is no try, which would keep the
// runtime from inlining the crossing.
using System;
using System.Buffers;
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
    /// <returns>The flag's value, or the default. Never throws; allocates nothing.</returns>
    [SkipLocalsInit]
    public unsafe bool BoolVariation(string key, Context? context, bool defaultValue = false)
    {
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
        fixed (byte* pointer = key)
        {
            return Bool(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>
    /// Value of a number flag, rounded to the nearest integer as in LaunchDarkly's .NET SDK, halves to the even one (2.5 gives
    /// 2, 2.75 gives 3); numbers beyond 32 bits give the nearest end of the range.
    /// </summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing.</returns>
    [SkipLocalsInit]
    public unsafe int IntVariation(string key, Context? context, int defaultValue)
    {
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
        fixed (byte* pointer = key)
        {
            return Int(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>Value of a number flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws; allocates nothing.</returns>
    [SkipLocalsInit]
    public unsafe double DoubleVariation(string key, Context? context, double defaultValue)
    {
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
        fixed (byte* pointer = key)
        {
            return Double(pointer, key.Length, context, defaultValue);
        }
    }

    /// <summary>Value of a string flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, or the default. Never throws.</returns>
    public string StringVariation(string key, Context? context, string defaultValue) =>
        Value<string, StringValue>(key, context, defaultValue);

    /// <summary>
    /// As <see cref="StringVariation(string, Context?, string)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="StringVariation(string, Context?, string)"/>
    public string StringVariation(ReadOnlySpan<byte> key, Context? context, string defaultValue) =>
        Value<string, StringValue>(key, context, defaultValue);

    /// <summary>Value of a flag of any type.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The flag's value, numbers as they are written in the flag; or the default. Never throws.</returns>
    public JsonElement JsonVariation(string key, Context? context, JsonElement defaultValue) =>
        Value<JsonElement, JsonValue>(key, context, defaultValue);

    /// <summary>
    /// As <see cref="JsonVariation(string, Context?, JsonElement)"/>, with the key in UTF-8, for example <c>"my-flag"u8</c>.
    /// </summary>
    /// <inheritdoc cref="JsonVariation(string, Context?, JsonElement)"/>
    public JsonElement JsonVariation(ReadOnlySpan<byte> key, Context? context, JsonElement defaultValue) =>
        Value<JsonElement, JsonValue>(key, context, defaultValue);

    /// <summary>As <see cref="BoolVariation(string, Context?, bool)"/>, with the reason.</summary>
    /// <inheritdoc cref="BoolVariation(string, Context?, bool)"/>
    public EvaluationDetail<bool> BoolVariationDetail(string key, Context? context, bool defaultValue = false) =>
        Detail<bool, BoolValue>(key, context, defaultValue);

    /// <summary>As <see cref="BoolVariation(ReadOnlySpan{byte}, Context?, bool)"/>, with the reason.</summary>
    /// <inheritdoc cref="BoolVariation(ReadOnlySpan{byte}, Context?, bool)"/>
    public EvaluationDetail<bool> BoolVariationDetail(ReadOnlySpan<byte> key, Context? context, bool defaultValue = false) =>
        Detail<bool, BoolValue>(key, context, defaultValue);

    /// <summary>As <see cref="IntVariation(string, Context?, int)"/>, with the reason.</summary>
    /// <inheritdoc cref="IntVariation(string, Context?, int)"/>
    public EvaluationDetail<int> IntVariationDetail(string key, Context? context, int defaultValue) =>
        Detail<int, IntValue>(key, context, defaultValue);

    /// <summary>As <see cref="IntVariation(ReadOnlySpan{byte}, Context?, int)"/>, with the reason.</summary>
    /// <inheritdoc cref="IntVariation(ReadOnlySpan{byte}, Context?, int)"/>
    public EvaluationDetail<int> IntVariationDetail(ReadOnlySpan<byte> key, Context? context, int defaultValue) =>
        Detail<int, IntValue>(key, context, defaultValue);

    /// <summary>As <see cref="DoubleVariation(string, Context?, double)"/>, with the reason.</summary>
    /// <inheritdoc cref="DoubleVariation(string, Context?, double)"/>
    public EvaluationDetail<double> DoubleVariationDetail(string key, Context? context, double defaultValue) =>
        Detail<double, DoubleValue>(key, context, defaultValue);

    /// <summary>As <see cref="DoubleVariation(ReadOnlySpan{byte}, Context?, double)"/>, with the reason.</summary>
    /// <inheritdoc cref="DoubleVariation(ReadOnlySpan{byte}, Context?, double)"/>
    public EvaluationDetail<double> DoubleVariationDetail(ReadOnlySpan<byte> key, Context? context, double defaultValue) =>
        Detail<double, DoubleValue>(key, context, defaultValue);

    /// <summary>As <see cref="StringVariation(string, Context?, string)"/>, with the reason.</summary>
    /// <inheritdoc cref="StringVariation(string, Context?, string)"/>
    public EvaluationDetail<string> StringVariationDetail(string key, Context? context, string defaultValue) =>
        Detail<string, StringValue>(key, context, defaultValue);

    /// <summary>As <see cref="StringVariation(ReadOnlySpan{byte}, Context?, string)"/>, with the reason.</summary>
    /// <inheritdoc cref="StringVariation(ReadOnlySpan{byte}, Context?, string)"/>
    public EvaluationDetail<string> StringVariationDetail(ReadOnlySpan<byte> key, Context? context, string defaultValue) =>
        Detail<string, StringValue>(key, context, defaultValue);

    /// <summary>As <see cref="JsonVariation(string, Context?, JsonElement)"/>, with the reason.</summary>
    /// <inheritdoc cref="JsonVariation(string, Context?, JsonElement)"/>
    public EvaluationDetail<JsonElement> JsonVariationDetail(string key, Context? context, JsonElement defaultValue) =>
        Detail<JsonElement, JsonValue>(key, context, defaultValue);

    /// <summary>As <see cref="JsonVariation(ReadOnlySpan{byte}, Context?, JsonElement)"/>, with the reason.</summary>
    /// <inheritdoc cref="JsonVariation(ReadOnlySpan{byte}, Context?, JsonElement)"/>
    public EvaluationDetail<JsonElement> JsonVariationDetail(
        ReadOnlySpan<byte> key, Context? context, JsonElement defaultValue) =>
        Detail<JsonElement, JsonValue>(key, context, defaultValue);

    private unsafe bool Bool(byte* key, int length, Context? context, bool defaultValue)
    {
        IntPtr native = Context.Acquire(context);
        int value = NativeMethods.flagstone_bool_variation(_native, native, key, (nuint)length, defaultValue ? 1 : 0);
        Leave(context, native);
        return value != 0;
    }

    // The native call for integers truncates.
    private unsafe int Int(byte* key, int length, Context? context, int defaultValue) =>
        IntValue.Round(Double(key, length, context, defaultValue));

    private unsafe double Double(byte* key, int length, Context? context, double defaultValue)
    {
        IntPtr native = Context.Acquire(context);
        double value = NativeMethods.flagstone_double_variation(_native, native, key, (nuint)length, defaultValue);
        Leave(context, native);
        return value;
    }

    private unsafe T Value<T, TValue>(string? key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        return Fill(key, context, default(TValue).Wanted, &detail) ? TakeValue<T, TValue>(&detail, defaultValue) : defaultValue;
    }

    private unsafe T Value<T, TValue>(ReadOnlySpan<byte> key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        fixed (byte* pointer = key)
        {
            Fill(pointer, key.Length, context, default(TValue).Wanted, &detail);
        }
        return TakeValue<T, TValue>(&detail, defaultValue);
    }

    private unsafe EvaluationDetail<T> Detail<T, TValue>(string? key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        return Fill(key, context, default(TValue).Wanted, &detail)
            ? TakeDetail<T, TValue>(&detail, defaultValue)
            : Details.Failed(defaultValue, EvaluationErrorKind.Exception);
    }

    private unsafe EvaluationDetail<T> Detail<T, TValue>(ReadOnlySpan<byte> key, Context? context, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        fixed (byte* pointer = key)
        {
            Fill(pointer, key.Length, context, default(TValue).Wanted, &detail);
        }
        return TakeDetail<T, TValue>(&detail, defaultValue);
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

    /// <summary>Reads and clears a detail.</summary>
    internal static unsafe EvaluationDetail<T> TakeDetail<T, TValue>(NativeDetail* detail, T defaultValue)
        where TValue : struct, IValueType<T>
    {
        try
        {
            return Details.Decode<T, TValue>(*detail, defaultValue);
        }
        finally
        {
            NativeMethods.flagstone_detail_clear(detail);
        }
    }

    /// <summary>Evaluates into a detail, which is to be cleared; false when the key is no text.</summary>
    [SkipLocalsInit]
    private unsafe bool Fill(string? key, Context? context, int wanted, NativeDetail* detail)
    {
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        if (length >= 0)
        {
            Fill(buffer, length, context, wanted, detail);
            return true;
        }
        if (key is not null && FillLong(key, context, wanted, detail))
        {
            return true;
        }
        if (Interlocked.Exchange(ref _saidNoKey, 1) == 0)
        {
            Log.NoKey(_logger);
        }
        return false;
    }

    /// <summary>For keys that do not fit the buffer on the stack, and those that are no text.</summary>
    private unsafe bool FillLong(string key, Context? context, int wanted, NativeDetail* detail)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(checked(key.Length * Utf8.MaxBytesPerChar));
        int length;
        fixed (byte* pointer = rented)
        {
            length = Utf8.TryEncode(key, pointer, rented.Length);
            if (length >= 0)
            {
                Fill(pointer, length, context, wanted, detail);
            }
        }
        ArrayPool<byte>.Shared.Return(rented);
        return length >= 0;
    }

    private unsafe void Fill(byte* key, int length, Context? context, int wanted, NativeDetail* detail)
    {
        byte none = 0;
        IntPtr native = Context.Acquire(context);
        // An empty key is one, a null pointer is none.
        _ = NativeMethods.flagstone_variation(_native, native, key is null ? &none : key, (nuint)length, wanted, null, 0, detail);
        Leave(context, native);
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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SayNoContext()
    {
        if (Interlocked.Exchange(ref _saidNoContext, 1) == 0)
        {
            Log.NoContext(_logger);
        }
    }
}
