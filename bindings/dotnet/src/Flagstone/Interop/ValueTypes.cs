// How each type of value is asked for and read. Structs behind a constraint, so that the one evaluation routine is compiled for
// each type by itself, without virtual calls or boxes.
using System;
using System.Text.Json;

namespace Flagstone.Interop;

internal interface IValueType<T>
{
    /// <summary>The native type to ask for.</summary>
    int Wanted { get; }

    /// <summary>The value in a detail that has one.</summary>
    T Read(in NativeDetail detail, T defaultValue);

    /// <summary>Whether a default is lent as text, which needs a buffer.</summary>
    bool IsText { get; }

    /// <summary>The caller's default for the library. A text in it may be in the buffer, and is given back.</summary>
    unsafe NativeDefault Default(T defaultValue, byte* buffer);

    /// <summary>A value for those who take any. Never throws.</summary>
    JsonElement ToJson(T value);
}

internal readonly struct BoolValue : IValueType<bool>
{
    public int Wanted => NativeCodes.TypeBool;

    public bool IsText => false;

    public unsafe NativeDefault Default(bool defaultValue, byte* buffer) => Defaults.Of(defaultValue);

    public JsonElement ToJson(bool value) => JsonForm.Of(value);

    public bool Read(in NativeDetail detail, bool defaultValue) =>
        detail.value_type == NativeCodes.TypeBool ? detail.number_value != 0 : defaultValue;
}

internal readonly struct IntValue : IValueType<int>
{
    public int Wanted => NativeCodes.TypeNumber;

    public bool IsText => false;

    public unsafe NativeDefault Default(int defaultValue, byte* buffer) => Defaults.Of((long)defaultValue);

    public JsonElement ToJson(int value) => JsonForm.Of((long)value);

    public int Read(in NativeDetail detail, int defaultValue) => Saturated(default(LongValue).Read(detail, defaultValue));

    /// <summary>The nearest int.</summary>
    internal static int Saturated(long value) =>
        value >= int.MaxValue ? int.MaxValue : value <= int.MinValue ? int.MinValue : (int)value;
}

internal readonly unsafe struct LongValue : IValueType<long>
{
    public int Wanted => NativeCodes.TypeNumber;

    public bool IsText => false;

    public NativeDefault Default(long defaultValue, byte* buffer) => Defaults.Of(defaultValue);

    public JsonElement ToJson(long value) => JsonForm.Of(value);

    public long Read(in NativeDetail detail, long defaultValue)
    {
        fixed (NativeDetail* pointer = &detail)
        {
            return NativeMethods.flagstone_detail_int(pointer, defaultValue);
        }
    }
}

internal readonly struct DoubleValue : IValueType<double>
{
    public int Wanted => NativeCodes.TypeNumber;

    public bool IsText => false;

    public unsafe NativeDefault Default(double defaultValue, byte* buffer) => Defaults.Of(defaultValue);

    public JsonElement ToJson(double value) => JsonForm.Of(value);

    public double Read(in NativeDetail detail, double defaultValue) =>
        detail.value_type == NativeCodes.TypeNumber ? detail.number_value : defaultValue;
}

internal readonly unsafe struct StringValue : IValueType<string>
{
    public int Wanted => NativeCodes.TypeString;

    public bool IsText => true;

    public NativeDefault Default(string defaultValue, byte* buffer) => Defaults.Of(defaultValue, buffer);

    public JsonElement ToJson(string value) => JsonForm.Of(value);

    public string Read(in NativeDetail detail, string defaultValue) =>
        detail.value_type == NativeCodes.TypeString ? TextCache.Get(detail.text.ptr, detail.text.len) : defaultValue;
}

/// <summary>Any type, as JSON text.</summary>
internal readonly unsafe struct JsonValue : IValueType<JsonElement>
{
    /// <summary>Deeper than the library accepts, so that every value it holds can be read.</summary>
    private const int MaxDepth = 1024;

    public int Wanted => NativeCodes.TypeJson;

    public bool IsText => true;

    public NativeDefault Default(JsonElement defaultValue, byte* buffer) => Defaults.Of(defaultValue, buffer);

    public JsonElement ToJson(JsonElement value) => JsonForm.Of(value);

    public JsonElement Read(in NativeDetail detail, JsonElement defaultValue) =>
        detail.text.len == 0 ? JsonForm.Null : JsonCache.Get(new ReadOnlySpan<byte>(detail.text.ptr, checked((int)detail.text.len)));

    internal static JsonElement Parse(ReadOnlySpan<byte> text)
    {
        Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        return JsonElement.ParseValue(ref reader);
    }
}

/// <summary>Any type, as the calls without a wanted type give it: not everything is JSON text.</summary>
internal readonly unsafe struct AnyValue : IValueType<JsonElement>
{
    public int Wanted => NativeCodes.TypeNone;

    public bool IsText => true;

    public NativeDefault Default(JsonElement defaultValue, byte* buffer) => Defaults.Of(defaultValue, buffer);

    public JsonElement ToJson(JsonElement value) => JsonForm.Of(value);

    public JsonElement Read(in NativeDetail detail, JsonElement defaultValue) => detail.value_type switch
    {
        NativeCodes.TypeBool => JsonForm.Of(detail.number_value != 0),
        NativeCodes.TypeString => JsonValue.Parse(System.Text.Encoding.UTF8.GetBytes(JsonText.Of(detail.text.ToString()))),
        _ => default(JsonValue).Read(detail, defaultValue),
    };
}
