// As ContextJsonConverter, for reasons.
using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone;

/// <summary>Writes and reads an <see cref="EvaluationReason"/>; the type names it.</summary>
public sealed class EvaluationReasonJsonConverter : JsonConverter<EvaluationReason>
{
    /// <inheritdoc/>
    public override EvaluationReason Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        JsonElement form = JsonElement.ParseValue(ref reader);
        if (form.ValueKind != JsonValueKind.Object || StatusForm.Text(form, "kind") is not string kind)
        {
            throw new JsonException("a reason must be an object with a kind");
        }
        return new EvaluationReason(
            ReasonForm.ToKind(kind),
            StatusForm.Text(form, "errorKind") is string error ? ReasonForm.ToErrorKind(error) : null,
            (int?)StatusForm.Number(form, "ruleIndex"),
            StatusForm.Text(form, "ruleId"),
            StatusForm.Text(form, "prerequisiteKey"),
            StatusForm.Flag(form, "inExperiment"),
            StatusForm.Text(form, "bigSegmentsStatus") is string status ? ReasonForm.ToBigSegmentsStatus(status) : null);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, EvaluationReason value, JsonSerializerOptions options) =>
        value.WriteTo(writer ?? throw new ArgumentNullException(nameof(writer)));
}
