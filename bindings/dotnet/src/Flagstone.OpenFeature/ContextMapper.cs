// Who a flag is evaluated for, from OpenFeature's form to Flagstone's. The rules are those of LaunchDarkly's provider, so that a program
// that changes providers keeps its contexts: the targeting key is the key, and without one the attribute "key" is; "kind" is "user"
// unless it is a text; with "kind" "multi" every other attribute that is a structure is a context, whose kind is its name.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal sealed class ContextMapper(ILogger logger)
{
    private const string Key = "key";
    private const string Kind = "kind";
    private const string Multi = "multi";
    private const string TargetingKey = "targetingKey";
    private const string PrivateAttributes = "privateAttributes";

    /// <summary>The attribute under which a context's JSON form keeps what is private.</summary>
    private const string Meta = "_meta";

    /// <summary>The context; null where there is none: the log says why.</summary>
    internal Context? Of(EvaluationContext? context)
    {
        if (context is null)
        {
            return null;
        }
        try
        {
            IReadOnlyDictionary<string, Value> attributes = context.AsDictionary();
            string? kind = Text(attributes, Kind);
            if (kind == Multi)
            {
                return OfSeveral(attributes);
            }
            if (kind is null && attributes.TryGetValue(Kind, out Value? odd) && !odd.IsNull)
            {
                ProviderLog.OddAttribute(logger, Kind, "it is no text, and user is taken");
            }
            return Single(attributes, kind ?? "user", context.TargetingKey);
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            ProviderLog.NoContext(logger, error.Message);
            return null;
        }
    }

    private Context OfSeveral(IReadOnlyDictionary<string, Value> attributes)
    {
        List<Context> parts = [];
        try
        {
            foreach (KeyValuePair<string, Value> attribute in attributes.Where(static attribute => attribute.Key != Kind))
            {
                if (attribute.Value.AsStructure is Structure members)
                {
                    IReadOnlyDictionary<string, Value> part = members.AsDictionary();
                    parts.Add(Single(part, attribute.Key, Text(part, TargetingKey)));
                }
                else
                {
                    ProviderLog.OddAttribute(logger, attribute.Key, "in a context of several kinds it is no structure, and left out");
                }
            }
            return Context.NewMulti([.. parts]);
        }
        finally
        {
            parts.ForEach(static part => part.Dispose());
        }
    }

    private Context Single(IReadOnlyDictionary<string, Value> attributes, string kind, string? targetingKey)
    {
        string key = KeyOf(attributes, targetingKey);
        return Context.FromJson(JsonForm.Written(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString(Kind, kind);
            writer.WriteString(Key, key);
            foreach (KeyValuePair<string, Value> attribute in attributes)
            {
                Write(writer, attribute.Key, attribute.Value);
            }
            writer.WriteEndObject();
        }));
    }

    private void Write(Utf8JsonWriter writer, string name, Value value)
    {
        switch (name)
        {
            case Key or Kind or TargetingKey or Meta:
                break;
            case "name" when !value.IsString && !value.IsNull:
                ProviderLog.OddAttribute(logger, name, "it must be a text, and is left out");
                break;
            case "anonymous" when !value.IsBoolean && !value.IsNull:
                ProviderLog.OddAttribute(logger, name, "it must be true or false, and is left out");
                break;
            case PrivateAttributes:
                WritePrivate(writer, value);
                break;
            default:
                if (!value.IsNull)
                {
                    writer.WritePropertyName(name);
                    JsonForm.Write(writer, value);
                }
                break;
        }
    }

    private void WritePrivate(Utf8JsonWriter writer, Value value)
    {
        Value[] named = value.AsList is IEnumerable<Value> list ? [.. list] : [];
        if ((value.AsList is null && !value.IsNull) || named.Any(static name => !name.IsString))
        {
            ProviderLog.OddAttribute(logger, PrivateAttributes, "it must be a list of texts, and what is none is left out");
        }
        writer.WriteStartObject(Meta);
        writer.WriteStartArray(PrivateAttributes);
        foreach (Value name in named.Where(static name => name.IsString))
        {
            writer.WriteStringValue(name.AsString);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private string KeyOf(IReadOnlyDictionary<string, Value> attributes, string? targetingKey)
    {
        string? key = Text(attributes, Key);
        if (key is null && attributes.TryGetValue(Key, out Value? odd) && !odd.IsNull)
        {
            ProviderLog.OddAttribute(logger, Key, "it is no text, and left out");
        }
        if (!string.IsNullOrEmpty(targetingKey) && !string.IsNullOrEmpty(key))
        {
            ProviderLog.OddAttribute(logger, Key, "there is a targeting key as well, which counts");
        }
        string? found = string.IsNullOrEmpty(targetingKey) ? key : targetingKey;
        return string.IsNullOrEmpty(found)
            ? throw new ArgumentException("it needs a targeting key or a 'key', which is a text")
            : found!;
    }

    private static string? Text(IReadOnlyDictionary<string, Value> attributes, string name) =>
        attributes.TryGetValue(name, out Value? value) ? value.AsString : null;
}
