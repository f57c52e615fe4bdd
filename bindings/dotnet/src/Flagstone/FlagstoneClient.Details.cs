// Evaluation by key with the reason.
using System;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
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

    /// <summary>As <see cref="LongVariation(string, Context?, long)"/>, with the reason.</summary>
    /// <inheritdoc cref="LongVariation(string, Context?, long)"/>
    public EvaluationDetail<long> LongVariationDetail(string key, Context? context, long defaultValue) =>
        Detail<long, LongValue>(key, context, defaultValue);

    /// <summary>As <see cref="LongVariation(ReadOnlySpan{byte}, Context?, long)"/>, with the reason.</summary>
    /// <inheritdoc cref="LongVariation(ReadOnlySpan{byte}, Context?, long)"/>
    public EvaluationDetail<long> LongVariationDetail(ReadOnlySpan<byte> key, Context? context, long defaultValue) =>
        Detail<long, LongValue>(key, context, defaultValue);

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

    private EvaluationDetail<T> Detail<T, TValue>(
        string? key, Context? context, T defaultValue, [CallerMemberName] string method = "")
        where TValue : struct, IValueType<T> => !HasHooks
            ? Evaluated<T, TValue>(key, context, defaultValue, NativeCodes.AskReason)
            : Hooked<T, TValue>(key, context, defaultValue, NativeCodes.AskReason, method);

    private EvaluationDetail<T> Detail<T, TValue>(
        ReadOnlySpan<byte> key, Context? context, T defaultValue, [CallerMemberName] string method = "")
        where TValue : struct, IValueType<T> => !HasHooks
            ? Evaluated<T, TValue>(key, context, defaultValue, NativeCodes.AskReason)
            : Hooked<T, TValue>(key, context, defaultValue, NativeCodes.AskReason, method);

    /// <summary>Evaluates without hooks.</summary>
    private unsafe EvaluationDetail<T> Evaluated<T, TValue>(string? key, Context? context, T defaultValue, uint options)
        where TValue : struct, IValueType<T>
    {
        if (default(TValue).IsText)
        {
            return EvaluatedText<T, TValue>(key, context, defaultValue, options);
        }
        NativeDefault given = default(TValue).Default(defaultValue, null);
        return Evaluated<T, TValue>(key, context, defaultValue, &given, options);
    }

    /// <inheritdoc cref="Evaluated{T, TValue}(string?, Context?, T, uint)"/>
    private unsafe EvaluationDetail<T> Evaluated<T, TValue>(ReadOnlySpan<byte> key, Context? context, T defaultValue, uint options)
        where TValue : struct, IValueType<T>
    {
        if (default(TValue).IsText)
        {
            return EvaluatedText<T, TValue>(key, context, defaultValue, options);
        }
        NativeDefault given = default(TValue).Default(defaultValue, null);
        return Evaluated<T, TValue>(key, context, defaultValue, &given, options);
    }

    /// <summary>With a default that is lent as text, if anybody is told of it.</summary>
    [SkipLocalsInit]
    private unsafe EvaluationDetail<T> EvaluatedText<T, TValue>(string? key, Context? context, T defaultValue, uint options)
        where TValue : struct, IValueType<T>
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        NativeDefault given = Given<T, TValue>(defaultValue, buffer);
        EvaluationDetail<T> result = Evaluated<T, TValue>(key, context, defaultValue, &given, options);
        LentText.TakeBack(given.text, buffer);
        return result;
    }

    /// <inheritdoc cref="EvaluatedText{T, TValue}(string?, Context?, T, uint)"/>
    [SkipLocalsInit]
    private unsafe EvaluationDetail<T> EvaluatedText<T, TValue>(ReadOnlySpan<byte> key, Context? context, T defaultValue, uint options)
        where TValue : struct, IValueType<T>
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        NativeDefault given = Given<T, TValue>(defaultValue, buffer);
        EvaluationDetail<T> result = Evaluated<T, TValue>(key, context, defaultValue, &given, options);
        LentText.TakeBack(given.text, buffer);
        return result;
    }

    private unsafe EvaluationDetail<T> Evaluated<T, TValue>(
        string? key, Context? context, T defaultValue, NativeDefault* given, uint options)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        return Fill(key, context, new Question(default(TValue).Wanted, given, options), &detail)
            ? TakeDetail<T, TValue>(&detail, defaultValue)
            : Details.Failed(defaultValue, EvaluationErrorKind.Exception);
    }

    private unsafe EvaluationDetail<T> Evaluated<T, TValue>(
        ReadOnlySpan<byte> key, Context? context, T defaultValue, NativeDefault* given, uint options)
        where TValue : struct, IValueType<T>
    {
        NativeDetail detail = NativeDetail.New();
        fixed (byte* pointer = key)
        {
            Fill(pointer, key.Length, context, new Question(default(TValue).Wanted, given, options), &detail);
        }
        return TakeDetail<T, TValue>(&detail, defaultValue);
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
}
