// Prepared flags, and many flags at once.
using System;
using System.Collections.Generic;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>The most bytes of keys that go into one native call.</summary>
    private const int MaxBatch = 1 << 28;

    /// <summary>Prepares a boolean flag. It need not exist yet.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    /// <returns>The prepared flag.</returns>
    /// <exception cref="ArgumentException">The key is no text.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public Flag<bool> BoolFlag(string key, bool defaultValue = false) =>
        Kept(new PreparedBoolFlag(this, _native, NotNull(key), defaultValue));

    /// <summary>
    /// Prepares a number flag whose value is rounded as <see cref="IntVariation(string, Context?, int)"/> does.
    /// </summary>
    /// <inheritdoc cref="BoolFlag"/>
    public Flag<int> IntFlag(string key, int defaultValue) =>
        Kept(new PreparedIntFlag(this, _native, NotNull(key), defaultValue));

    /// <summary>
    /// Prepares a number flag whose value is rounded as <see cref="LongVariation(string, Context?, long)"/> does.
    /// </summary>
    /// <inheritdoc cref="BoolFlag"/>
    public Flag<long> LongFlag(string key, long defaultValue) =>
        Kept(new PreparedLongFlag(this, _native, NotNull(key), defaultValue));

    /// <summary>Prepares a number flag. The default must be finite.</summary>
    /// <inheritdoc cref="BoolFlag"/>
    public Flag<double> DoubleFlag(string key, double defaultValue) =>
        Kept(new PreparedDoubleFlag(this, _native, NotNull(key), defaultValue));

    /// <summary>Prepares a string flag.</summary>
    /// <inheritdoc cref="BoolFlag"/>
    public Flag<string> StringFlag(string key, string defaultValue) =>
        Kept(new PreparedStringFlag(this, _native, NotNull(key), defaultValue));

    /// <summary>Prepares a flag of any type.</summary>
    /// <inheritdoc cref="BoolFlag"/>
    /// <exception cref="ArgumentException">The key is no text, or the default cannot be read: lone surrogates, infinite numbers.</exception>
    public Flag<JsonElement> JsonFlag(string key, JsonElement defaultValue) =>
        Kept(new PreparedFlag<JsonElement, JsonValue>(this, _native, NotNull(key), defaultValue, JsonText.Of(defaultValue)));

    /// <summary>Values of any type of several flags for one context, in one native call, each with its reason.</summary>
    /// <param name="keys">
    /// Keys of the flags; one that comes twice counts once. Null is none: it is left out, and a warning is logged.
    /// </param>
    /// <param name="context">Who asks; null gives no values.</param>
    /// <returns>A result for every key; an undefined <see cref="JsonElement"/> where there is no value. Never throws for what it
    /// is asked.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="keys"/> is null.</exception>
    public IReadOnlyDictionary<string, EvaluationDetail<JsonElement>> VariationMany(IEnumerable<string> keys, Context? context)
    {
        Dictionary<string, EvaluationDetail<JsonElement>> found = new(StringComparer.Ordinal);
        List<string> names = [];
        List<byte[]> texts = [];
        int size = 0;
        foreach (string key in keys ?? throw new ArgumentNullException(nameof(keys)))
        {
            if (key is null)
            {
                SayNoKey();
                continue;
            }
            if (found.ContainsKey(key))
            {
                continue;
            }
            // What cannot be encoded is refused as everywhere else.
            found[key] = Details.Failed(default(JsonElement), EvaluationErrorKind.Exception);
            if (key.Length > Utf8.MaxKeyLength || !Utf8.TryEncode(key, out byte[]? text))
            {
                SayNoKey();
                continue;
            }
            if (text.Length > MaxBatch - size)
            {
                EvaluateMany(names, texts, size, context, found);
                names.Clear();
                texts.Clear();
                size = 0;
            }
            names.Add(key);
            texts.Add(text);
            size += text.Length;
        }
        EvaluateMany(names, texts, size, context, found);
        return found;
    }

    private unsafe void EvaluateMany(
        List<string> names,
        List<byte[]> texts,
        int size,
        Context? context,
        Dictionary<string, EvaluationDetail<JsonElement>> found)
    {
        // All keys in one buffer, so that one pin holds them.
        byte[] buffer = new byte[size + 1];
        NativeText[] keys = new NativeText[texts.Count];
        NativeDetail[] details = new NativeDetail[texts.Count];
        fixed (byte* start = buffer)
        fixed (NativeText* key = keys)
        fixed (NativeDetail* detail = details)
        {
            int at = 0;
            for (int index = 0; index < keys.Length; index++)
            {
                texts[index].CopyTo(buffer, at);
                keys[index] = new NativeText(start + at, (nuint)texts[index].Length);
                details[index] = NativeDetail.New();
                at += texts[index].Length;
            }
            HookSeries[] series = Before(names, context);
            IntPtr native = Context.Acquire(context);
            _ = NativeMethods.flagstone_variation_many(_native, native, key, (nuint)keys.Length, detail);
            Leave(context, native);
            for (int index = 0; index < details.Length; index++)
            {
                EvaluationDetail<JsonElement> taken = TakeDetail<JsonElement, AnyValue>(&detail[index], default);
                found[names[index]] = taken;
                if (series.Length != 0)
                {
                    After<JsonElement, AnyValue>(series[index], taken);
                }
            }
        }
    }

    /// <summary>Runs the first stage of hooks for each flag; none without hooks.</summary>
    private HookSeries[] Before(List<string> names, Context? context)
    {
        HookSeries[] series = HasHooks ? new HookSeries[names.Count] : [];
        for (int index = 0; index < series.Length; index++)
        {
            series[index] = Before(
                names[index], context, JsonForm.Null, $"{nameof(FlagstoneClient)}.{nameof(VariationMany)}");
        }
        return series;
    }

    private static string NotNull(string key) => key ?? throw new ArgumentNullException(nameof(key));

    /// <summary>This object stays alive until the flag has been made.</summary>
    private T Kept<T>(T flag)
    {
        GC.KeepAlive(this);
        return flag;
    }
}
