// How System.Text.Json writes and reads the types that have a form of LaunchDarkly's: without reflection, by attributes on them.
using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone;

/// <summary>Writes and reads a <see cref="Context"/>; the type names it.</summary>
public sealed class ContextJsonConverter : JsonConverter<Context>
{
    /// <inheritdoc/>
    public override Context Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return Context.FromJson(JsonElement.ParseValue(ref reader).GetRawText());
        }
        catch (ArgumentException error)
        {
            throw new JsonException(error.Message, error);
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Context value, JsonSerializerOptions options)
    {
        _ = value ?? throw new ArgumentNullException(nameof(value));
        (writer ?? throw new ArgumentNullException(nameof(writer))).WriteRawValue(value.ToJsonString(), skipInputValidation: true);
    }
}
