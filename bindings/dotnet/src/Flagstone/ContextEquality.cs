// Whether two contexts say the same. Unlike other lists, private attributes have no order, and naming one twice says nothing more.
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Flagstone;

internal static class ContextEquality
{
    /// <param name="left">The JSON form of one context.</param>
    /// <param name="right">That of the other.</param>
    internal static bool AreEqual(string left, string right)
    {
        if (left == right)
        {
            return true;
        }
        // Deeper than the library accepts.
        JsonDocumentOptions options = new() { MaxDepth = 1024 };
        using JsonDocument one = JsonDocument.Parse(left, options);
        using JsonDocument other = JsonDocument.Parse(right, options);
        bool isMulti = StatusForm.Text(one.RootElement, "kind") == "multi";
        return JsonEquality.AreEqualObjects(one.RootElement, other.RootElement, isMulti ? ArePartsEqual : AreMembersEqual);
    }

    private static bool ArePartsEqual(string kind, JsonElement left, JsonElement right) =>
        left.ValueKind == JsonValueKind.Object && right.ValueKind == JsonValueKind.Object
            ? JsonEquality.AreEqualObjects(left, right, AreMembersEqual)
            : JsonEquality.AreEqual(left, right);

    private static bool AreMembersEqual(string name, JsonElement left, JsonElement right) =>
        name == "_meta" ? PrivateAttributes(left).SetEquals(PrivateAttributes(right)) : JsonEquality.AreEqual(left, right);

    private static HashSet<string> PrivateAttributes(JsonElement meta)
    {
        HashSet<string> references = new(StringComparer.Ordinal);
        foreach (JsonElement reference in meta.GetProperty("privateAttributes").EnumerateArray())
        {
            references.Add(reference.GetString()!);
        }
        return references;
    }
}
