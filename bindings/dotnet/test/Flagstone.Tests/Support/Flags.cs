// Flags as JSON.
using System.Globalization;
using System.Linq;

namespace Flagstone.Tests.Support;

internal static class Flags
{
    /// <summary>A flag that serves a boolean to everybody.</summary>
    internal static (string Key, string Json) Bool(string key, int version, bool value) =>
        Value(key, version, value ? "true" : "false", value ? "false" : "true");

    /// <summary>A flag that serves a number to everybody.</summary>
    internal static (string Key, string Json) Number(string key, int version, int value) =>
        Value(key, version, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>A flag that serves the first of the values, which are JSON text, to everybody.</summary>
    internal static (string Key, string Json) Value(string key, int version, params string[] values) =>
        With(key, version, "", values);

    /// <summary>The same with further members, or other values of those it has.</summary>
    internal static (string Key, string Json) With(string key, int version, string members, params string[] values) =>
        (key, "{" + string.Join(",", new[]
        {
            members,
            $"\"key\":\"{key}\"",
            $"\"version\":{version.ToString(CultureInfo.InvariantCulture)}",
            members.Contains("\"on\"", System.StringComparison.Ordinal) ? "" : "\"on\":true",
            "\"offVariation\":0",
            "\"fallthrough\":{\"variation\":0}",
            "\"salt\":\"s\"",
            $"\"variations\":[{string.Join(",", values)}]",
        }.Where(member => member.Length > 0)) + "}");
}
