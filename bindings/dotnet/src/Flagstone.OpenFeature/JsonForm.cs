// OpenFeature's values as JSON, and back.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal static class JsonForm
{
    /// <summary>JSON text as bytes.</summary>
    internal static byte[] Written(Action<Utf8JsonWriter> write)
    {
        using MemoryStream text = new();
        using (Utf8JsonWriter writer = new(text))
        {
            write(writer);
        }
        return text.ToArray();
    }

    /// <summary>A value as an element.</summary>
    internal static JsonElement Of(Value? value)
    {
        using JsonDocument document = JsonDocument.Parse(Written(writer => Write(writer, value)));
        return document.RootElement.Clone();
    }

    /// <summary>Writes a value. A moment is text in UTC; a number that JSON does not have is null.</summary>
    internal static void Write(Utf8JsonWriter writer, Value? value)
    {
        switch (value?.AsObject)
        {
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case double number when !double.IsNaN(number) && !double.IsInfinity(number):
                writer.WriteNumberValue(number);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case DateTime moment:
                writer.WriteStringValue(Utc(moment).ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFZ", CultureInfo.InvariantCulture));
                break;
            case Structure structure:
                Write(writer, structure.AsDictionary());
                break;
            case IEnumerable<Value> list:
                writer.WriteStartArray();
                foreach (Value item in list)
                {
                    Write(writer, item);
                }
                writer.WriteEndArray();
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    /// <summary>One that does not say where it is counts as UTC.</summary>
    private static DateTime Utc(DateTime moment) =>
        moment.Kind == DateTimeKind.Unspecified ? DateTime.SpecifyKind(moment, DateTimeKind.Utc) : moment.ToUniversalTime();

    /// <summary>Writes an object.</summary>
    internal static void Write(Utf8JsonWriter writer, IEnumerable<KeyValuePair<string, Value>> members)
    {
        writer.WriteStartObject();
        foreach (KeyValuePair<string, Value> member in members)
        {
            writer.WritePropertyName(member.Key);
            Write(writer, member.Value);
        }
        writer.WriteEndObject();
    }

    /// <summary>An element as a value.</summary>
    internal static Value ToValue(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.True => new Value(true),
        JsonValueKind.False => new Value(false),
        JsonValueKind.Number => new Value(json.GetDouble()),
        JsonValueKind.String => new Value(json.GetString()!),
        JsonValueKind.Array => new Value([.. json.EnumerateArray().Select(ToValue)]),
        JsonValueKind.Object => new Value(new Structure(Members(json))),
        _ => new Value(),
    };

    private static Dictionary<string, Value> Members(JsonElement json)
    {
        Dictionary<string, Value> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in json.EnumerateObject())
        {
            // The last one counts, as everywhere.
            members[member.Name] = ToValue(member.Value);
        }
        return members;
    }
}
