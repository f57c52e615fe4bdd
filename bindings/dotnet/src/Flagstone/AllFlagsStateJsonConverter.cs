// As ContextJsonConverter, for what browsers get.
using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone;

/// <summary>Writes and reads an <see cref="AllFlagsState"/>; the type names it.</summary>
public sealed class AllFlagsStateJsonConverter : JsonConverter<AllFlagsState>
{
    /// <inheritdoc/>
    public override AllFlagsState Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        JsonElement state = JsonElement.ParseValue(ref reader);
        return state.ValueKind == JsonValueKind.Object
            ? new AllFlagsState(state)
            : throw new JsonException("the state of all flags must be an object");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, AllFlagsState value, JsonSerializerOptions options)
    {
        _ = value ?? throw new ArgumentNullException(nameof(value));
        (writer ?? throw new ArgumentNullException(nameof(writer))).WriteRawValue(value.Utf8Json.Span, skipInputValidation: true);
    }
}
