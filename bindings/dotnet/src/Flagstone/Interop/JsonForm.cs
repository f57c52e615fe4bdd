// Values of one type as JSON, for those who take any type. What is no JSON is null: nobody fails because of it.
using System;
using System.Text;
using System.Text.Json;

namespace Flagstone.Interop;

internal static class JsonForm
{
    private static readonly JsonElement s_true = JsonValue.Parse("true"u8);
    private static readonly JsonElement s_false = JsonValue.Parse("false"u8);

    internal static JsonElement Null { get; } = JsonValue.Parse("null"u8);

    internal static JsonElement Of(bool value) => value ? s_true : s_false;

    internal static JsonElement Of(long value) => Parsed(JsonText.Of(value));

    internal static JsonElement Of(double value) =>
        double.IsNaN(value) || double.IsInfinity(value) ? Null : Parsed(JsonText.Of(value));

    /// <summary>What is no UTF-16 in it is U+FFFD: it is for people.</summary>
    internal static JsonElement Of(string? value) => value is null
        ? Null
        : Parsed(JsonText.Written(writer => writer.WriteStringValue(Encoding.UTF8.GetBytes(value))));

    /// <summary>Undefined is null, and so is a value whose document is disposed of.</summary>
    internal static JsonElement Of(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.Undefined ? Null : value;
        }
        catch (ObjectDisposedException)
        {
            return Null;
        }
    }

    private static JsonElement Parsed(string json) => JsonValue.Parse(Encoding.UTF8.GetBytes(json));
}
